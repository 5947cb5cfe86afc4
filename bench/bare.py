"""The default pipeline without a framework: one script, the steps' functions called in order.

What `mlcore run` and `dvc repro` add to this (composition, hashes, locks, cache, journal) is what they cost.
"""

import json
import sys
from pathlib import Path


def main(work: Path) -> None:
    """Leave in ``work`` what the recipe leaves in out/, and one run in MLflow."""
    from ml_core.data.embedded import Embedded
    from ml_core.data.quality import Rules
    from ml_core.data.split import Split
    from ml_core.features.columns import Columns
    from ml_core.models.logistic import LogisticRegression
    from ml_core.search.folds import Folds
    from ml_core.search.grid import Grid
    from ml_core.search.settings import Settings
    from ml_core.steps.evaluate import evaluate
    from ml_core.steps.explain import explain
    from ml_core.steps.ingest import ingest
    from ml_core.steps.log import log
    from ml_core.steps.prepare import prepare
    from ml_core.steps.search import search
    from ml_core.steps.train import train
    from ml_core.tracking.mlflow import Mlflow

    def do(step, *arguments, **options):
        folder = work / step.__name__
        folder.mkdir(parents=True)
        metrics = step(folder, *arguments, **options).metrics
        (work / f"{step.__name__}.json").write_text(json.dumps(metrics))

    space = {"C": {"low": 1e-4, "high": 1e4, "log": True, "int": False}}
    model = {"estimator": {"classification": LogisticRegression(C=1.0)}, "space": space}
    do(ingest, Embedded(name="breast_cancer", path="", target="diagnosis"))
    do(prepare, rules=Rules(), split=Split(method="stratified", test=0.2, seed=0))
    do(search, Columns(), model, Settings(Grid(points=9), Folds(n=5, seed=0)))
    do(train, Columns(), model)
    do(evaluate)
    do(explain)
    do(log, Mlflow())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
