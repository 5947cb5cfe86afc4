"""What gates see: a candidate and, where there is one, the champion, on the same rows.

Whoever assembles a duel scores both models on the candidate's test rows. Rows that one of them was trained on
are left in: the data gate tells of them, and ``Duel.paired`` leaves them out of every comparison.

Letters: n rows, d columns, q classes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from ml_core.measure.predictions import Predictions
from ml_core.outcome import CheckFailed


@dataclass(frozen=True, eq=False)
class Contender:
    """One of the two models, and what is known of the run it comes from.

    Attributes
    ----------
    name : candidate or champion
    says : its Predictions, with truth, on the duel's n rows; None where it gives none, ``trouble`` says why
    run_id, version : the tracker's names; version is None before the model is registered
    params, tags, metrics : of the run, flat
    trained_on, tested_on : ids of rows uint64 (any number, any order), None where the run does not tell
    path : the model's file; None where there is none here
    load : () -> the fitted pipeline; called once at most, by the gates that ask it anew
    """

    name: str
    says: Predictions | None
    trouble: str = ""
    run_id: str = ""
    version: str | None = None
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    trained_on: np.ndarray | None = None
    tested_on: np.ndarray | None = None
    path: Path | None = None
    load: Callable[[], object] | None = None

    @cached_property
    def answers(self) -> Predictions:
        """``says``; CheckFailed where there are none, or one of them is nan or infinite."""
        if self.says is None:
            raise CheckFailed(f"the {self.name} gives no predictions: {self.trouble or 'nobody knows why'}")
        for what in ("answer", "probability", "score"):
            values = getattr(self.says, what)
            if values is not None and not np.isfinite(values).all():
                raise CheckFailed(f"the {self.name} gives predictions whose {what} is nan or infinite")
        return self.says

    @cached_property
    def model(self) -> object:
        """The fitted pipeline, loaded on first use; CheckFailed where there is none."""
        if self.load is None:
            raise CheckFailed(f"the {self.name}'s model cannot be loaded here")
        return self.load()


@dataclass(frozen=True, eq=False)
class Duel:
    """Everything a gate may look at.

    Attributes
    ----------
    task : binary, multiclass, regression or clustering
    target : name of the target's column; None for clustering without one
    metric : the metric that decides, one of ``ml_core.measure.score.METRICS[task]``
    frame : polars (n rows): the columns of the candidate's test rows, features and others
    kinds : feature -> numeric, boolean, categorical, text or date, in the order the models take them
    y, row : the target (n,) and the rows' ids uint64 (n,); y None where there is no target
    candidate, champion : champion None before the first promotion
    classes : the q labels, in order
    quality : prepare's quality.json; empty where the run has none
    slices : columns to slice by; None: those worth it are found
    time : column whose later rows are the test rows, where the split is by time; else None
    training : () -> the candidate's training rows as (frame, y, row); None where they are gone
    golden : the same contenders on a frozen golden set of rows; None where there is none
    seed : whatever a gate draws, it draws from this
    evidence : what one gate needs and this floor cannot make: name -> function without arguments, called by
        that gate alone (a fresh process' predictions, a reproduction, a person's approval)
    """

    task: str
    target: str | None
    metric: str
    frame: pl.DataFrame
    kinds: dict[str, str]
    y: np.ndarray | None
    row: np.ndarray
    candidate: Contender
    champion: Contender | None = None
    classes: list = field(default_factory=list)
    quality: dict = field(default_factory=dict)
    slices: list[str] | None = None
    time: str | None = None
    training: Callable[[], tuple[pl.DataFrame, np.ndarray, np.ndarray]] | None = None
    golden: "Duel | None" = None
    seed: int = 0
    evidence: dict[str, Callable[[], object]] = field(default_factory=dict)

    @cached_property
    def fair(self) -> np.ndarray:
        """Places (m,) of the rows that neither model was trained on, in order."""
        fair = np.ones(len(self.row), dtype=bool)
        for one in (self.candidate, self.champion):
            if one is not None and one.trained_on is not None:
                fair &= ~np.isin(self.row, one.trained_on)
        return np.flatnonzero(fair)

    @cached_property
    def paired(self) -> tuple[Predictions, Predictions]:
        """Candidate's and champion's answers on the ``fair`` rows, pair by pair.

        CheckFailed where one of them gives none, or no row is left.
        """
        if self.champion is None:
            raise CheckFailed("there is no champion to compare with")
        if not len(self.fair):
            raise CheckFailed(
                f"of {len(self.row)} test rows 0 are left that neither model was trained on; judge on rows "
                "that are new to both"
            )
        return self.candidate.answers.take(self.fair), self.champion.answers.take(self.fair)
