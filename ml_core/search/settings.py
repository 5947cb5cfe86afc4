"""Everything a search can be told beside what it searches: the section `search` of params.yaml."""

from dataclasses import dataclass, field

from ml_core.search.budget import Budget
from ml_core.search.folds import Folds
from ml_core.search.local import Local

CHOICES = ("best", "one_se")
LIMITS = ("predict_ms", "size_mb")


@dataclass(frozen=True)
class Settings:
    """A search's settings.

    Parameters
    ----------
    strategy : an object with ``batches(space, rng)``
    folds : Folds
    scoring : str or list
        A scikit-learn scorer's name, or auto; several: the first decides.
    engine : callable
        Where candidates are judged.
    budget : Budget
    choose : "best" or "one_se"
        one_se: the simplest within one standard error of the best, by the model's ``simpler``.
    limits : dict or None
        {"predict_ms": ..., "size_mb": ...}: the most a chosen model may need.
    trial_timeout : float or None
        Seconds of one fit; a longer one is ended, and is a row with its error.
    nested : int or None
        Outer folds of a nested cross-validation; None: none.
    warm_start : str or None
        A run whose best candidates are tried first.
    blend : int or None
        Trials at most that are averaged, where that beats the best of them; None: no blend.
    """

    strategy: object
    folds: Folds = field(default_factory=Folds)
    scoring: str | list = "auto"
    engine: object = field(default_factory=Local)
    budget: Budget = field(default_factory=Budget)
    choose: str = "best"
    limits: dict | None = None
    trial_timeout: float | None = None
    nested: int | None = None
    warm_start: str | None = None
    blend: int | None = None

    def __post_init__(self):
        if not hasattr(self.strategy, "batches"):
            raise ValueError(
                f"search.strategy: got {type(self.strategy).__name__}, must have batches(space, rng)"
            )
        if not callable(self.engine):
            raise ValueError(f"search.engine: got {self.engine!r}; choose search/engine=local")
        if self.choose not in CHOICES:
            raise ValueError(f"search.choose: got {self.choose!r}, allowed are {', '.join(CHOICES)}")
        for name, most in (self.limits or {}).items():
            if name not in LIMITS:
                raise ValueError(f"search.limits: got {name!r}, allowed are {', '.join(LIMITS)}")
            if most is not None and (
                isinstance(most, bool) or not isinstance(most, int | float) or most <= 0
            ):
                raise ValueError(f"search.limits.{name}: got {most!r}, must be a number above 0, or null")
        if self.trial_timeout is not None and not self.trial_timeout > 0:
            raise ValueError(f"search.trial_timeout: got {self.trial_timeout!r}, must be above 0 seconds")
        if self.blend is not None and (isinstance(self.blend, bool) or self.blend < 2):
            raise ValueError(f"search.blend: got {self.blend!r}, must be 2 or more trials, or null")
        if self.blend is not None and self.choose != "best":
            raise ValueError(
                f"search.blend: a blend is never the simplest, but search.choose={self.choose} asks for it; "
                "set search.blend=null, or search.choose=best"
            )
        self._check_bags()
        self._check_race()
        if self.nested is not None and self.nested < 2:
            raise ValueError(f"search.nested: got {self.nested!r}, must be 2 or more outer folds, or null")

    def _check_bags(self):
        if self.folds.method != "oob":
            return
        for name, asked, off in (("blend", self.blend, "null"), ("choose", self.choose == "one_se", "best")):
            if asked:
                raise ValueError(
                    f"search.{name}: it compares folds, and search.folds.method=oob has none; set "
                    f"search.{name}={off}, or search.folds.method=auto"
                )

    def _check_race(self):
        if self.budget.race is None:
            return
        one_se, limits = self.choose == "one_se", any(one is not None for one in (self.limits or {}).values())
        for name, asked in (("choose=one_se", one_se), ("limits", limits), ("blend", self.blend)):
            if asked:
                raise ValueError(
                    f"search.{name}: it may want a trial that is not the best, and search.budget.race stops "
                    "those; set search.budget.race=null, or do without"
                )
        if self.folds.method == "oob" or self.folds.n * self.folds.repeats < 3:
            raise ValueError(
                "search.budget.race: stops trials between folds and needs 3 or more of them; set "
                "search.budget.race=null, or search.folds.n higher"
            )
