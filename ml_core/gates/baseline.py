"""A model must be worth its trouble: no worse than one that looks at nothing, and than a simple one."""

from dataclasses import dataclass

from ml_core.data.table import Table
from ml_core.gates.duel import Duel
from ml_core.gates.pairs import alone, metric_for, pair_of, too_few
from ml_core.gates.verdict import Verdict, shown
from ml_core.measure.predictions import predict
from ml_core.measure.score import LOWER_IS_BETTER, sample
from ml_core.outcome import CheckFailed


@dataclass(frozen=True)
class NoWorseThanBaselines:
    """Fail below a trivial model, or surely below a simple one by more than ``margin``.

    Trivial: always the classes' shares, or the mean. Simple: logistic or ridge regression on plain features.
    Both learn here from the candidate's training rows, and of more than ``rows`` from so many; they are asked
    about at most ``rows`` test rows, and so is the candidate.
    """

    metric: str | None = None
    margin: float = 0.0
    confidence: float = 0.95
    rows: int = 20_000
    min_rows: int = 50
    min_class_rows: int = 8
    resamples: int = 200

    def __post_init__(self):
        if not self.margin >= 0:
            raise ValueError(f"baseline.margin: got {self.margin!r}, allowed is 0 or more")
        if not 0.5 <= self.confidence < 1:
            raise ValueError(f"baseline.confidence: got {self.confidence!r}, allowed is 0.5 to below 1")

    def __call__(self, duel: Duel) -> Verdict:
        """Fit both, ask both, compare on the same rows."""
        metric = metric_for(duel, self.metric)
        if duel.training is None:
            raise CheckFailed("the candidate's training rows are gone, so no baseline can learn from them")
        places = duel.fair[sample(len(duel.fair), self.rows, duel.seed)]
        p = duel.candidate.answers.take(places)
        if few := too_few(p, metric, self.min_rows, self.min_class_rows):
            raise CheckFailed(few)
        others = self._baselines(duel, places, p)
        rows = [self._row(p, other, name, metric, duel.seed) for name, other in others]
        failed = [row for row in rows if not row["passed"]]
        told = (failed or rows[-1:])[0]
        how = ("" if failed else "not ") + ("surely worse" if "p" in told else "worse")
        reason = (
            f"{metric} {shown(told['candidate'])} against {shown(told['value'])} of the {told['model']} "
            f"baseline on {len(p)} rows: {how}"
        )
        return Verdict("baseline", not failed, reason, told["candidate"], told["value"], True, {}, rows)

    def _row(self, own, other, name, metric, seed):
        mine, value = alone(own, metric), alone(other, metric)
        row = {"model": name, "candidate": mine, "value": value}
        if name == "trivial" or value != value:
            worse = mine > value if metric in LOWER_IS_BETTER else mine < value
            return row | {"passed": bool(not worse and mine == mine)}
        pair = pair_of(own, other, metric, self.resamples, seed)
        low, high = pair.interval(2 * self.confidence - 1)
        p = pair.below(-self.margin)
        passed = p >= 1 - self.confidence
        return row | {"gain": pair.gain, "low": low, "high": high, "p": p, "passed": bool(passed)}

    def _baselines(self, duel, places, p):
        """Yield (name, its Predictions on the rows at ``places``)."""
        frame, y, _ = duel.training()
        some = sample(len(frame), self.rows, duel.seed)
        X, y = frame[some].select(list(duel.kinds)), y[some]
        task = "regression" if duel.task == "regression" else "classification"
        table = Table(frame.lazy(), duel.target, task, duel.kinds, classes=list(p.classes))
        positive = p.classes[p.positive] if duel.task == "binary" else None
        asked = duel.frame[places].select(list(duel.kinds)), duel.y[places]
        for name, model in _models(task, duel.kinds):
            yield name, predict(model.fit(X, y), *asked, table, positive)


def _models(task, kinds):
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.pipeline import make_pipeline

    from ml_core.features.columns import Columns
    from ml_core.models.linear import Ridge
    from ml_core.models.logistic import LogisticRegression

    trivial = DummyRegressor() if task == "regression" else DummyClassifier(strategy="prior")
    simple = Ridge() if task == "regression" else LogisticRegression()
    yield "trivial", trivial
    yield "simple", make_pipeline(Columns(kinds=kinds), simple)
