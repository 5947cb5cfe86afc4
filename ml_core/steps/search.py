"""Find the parameters with which the model does best on rows it has not seen."""

import json
from pathlib import Path

from ml_core.data.table import Table, features_and_target, read
from ml_core.outcome import CheckFailed, Outcome


def search(out: Path, features, model: dict, search) -> Outcome:
    """Judge every candidate on every fold of the training rows; leave the table of trials, and the best."""
    from ml_core.search import engine, subject
    from ml_core.search import scoring as metrics
    from ml_core.search.problem import Problem

    table = read(out.parent / "prepare", "train")
    X, y, _ = features_and_target(table)
    if table.task == "regression":
        y = y.astype(float)
    estimator, space = subject.pick(model, table.task, table.target)
    features = subject.ready(features, table.kinds, estimator)
    pairs = search.folds.pairs(len(X), y, table.task, column(table, search.folds.by))
    metric, scorer = metrics.choose(search.scoring, table.task, y, estimator)
    problem = Problem(X, y, features, estimator, pairs, scorer)
    trials = engine.search(problem, space, search.strategy, search.engine, budget=search.budget)
    write(out, trials, metric, table.task)
    if trials.best is None:
        worst = "; ".join(f"{times} x {error}" for error, times in trials.failures()[:3])
        raise CheckFailed(
            f"all {len(trials.candidates)} candidates failed: {worst}. "
            "The table of trials lies in .mlcore/failed/search/trials.json"
        )
    found = chosen(trials, metric)
    (out / "best.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    numbers = {"score": found["score"], "spread": found["spread"], "trials": len(trials.candidates)}
    params = json.dumps(found["params"], ensure_ascii=False)
    return Outcome(
        numbers | {"failed": sum(error is not None for error in trials.errors)},
        ["trials.parquet", "trials.json", "best.json"],
        {
            "message": f"{metric} {found['score']:.4g} with {params}",
            "seconds": [round(float(seconds), 6) for seconds in trials.seconds.sum(axis=1)],
        },
    )


def column(table: Table, name: str | None):
    """Values of a column of the table, feature or not; None for no name."""
    if name is None:
        return None
    names = table.frame.collect_schema().names()
    if name not in names:
        raise ValueError(f"search.folds.by: the table has no column {name!r}; it has {', '.join(names)}")
    return table.frame.select(name).collect()[name].to_numpy()


def chosen(trials, metric: str) -> dict:
    """What best.json holds."""
    i = trials.best
    return {
        "params": trials.candidates[i],
        "metric": metric,
        "score": float(trials.mean[i]),
        "spread": float(trials.spread[i]),
        "trial": i,
    }


def write(out: Path, trials, metric: str, task: str) -> None:
    """The trials as json (exact) and as parquet (a column a parameter)."""
    mean, spread = trials.mean, trials.spread
    rows = [
        {
            "trial": i,
            "params": candidate,
            "mean": known(mean[i]),
            "spread": known(spread[i]),
            "scores": [known(score) for score in trials.scores[i]],
            "share": float(trials.shares[i]),
            "error": trials.errors[i],
        }
        for i, candidate in enumerate(trials.candidates)
    ]
    whole = {"task": task, "metric": metric, "folds": trials.scores.shape[1], "trials": rows}
    text = json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False)
    (out / "trials.json").write_text(text + "\n", encoding="utf-8")
    flat(rows).write_parquet(out / "trials.parquet")


def known(number: float) -> float | None:
    """The number, None for nan."""
    return None if number != number else float(number)


def flat(rows: list[dict]):
    """Rows of trials.json -> a frame with a column a parameter and a column a fold."""
    import polars as pl

    names = dict.fromkeys(name for row in rows for name in row["params"])
    columns = {"trial": [row["trial"] for row in rows]}
    columns |= {f"param.{name}": values([row["params"].get(name) for row in rows]) for name in names}
    columns |= {
        name: pl.Series([row[name] for row in rows], dtype=pl.Float64) for name in ("mean", "spread", "share")
    }
    for j in range(len(rows[0]["scores"])):
        columns[f"fold.{j}"] = pl.Series([row["scores"][j] for row in rows], dtype=pl.Float64)
    columns["error"] = pl.Series([row["error"] for row in rows], dtype=pl.String)
    return pl.DataFrame(columns)


def values(found: list):
    """A column of one type: as they are when they share one, else as json."""
    import polars as pl

    types = {type(value) for value in found if value is not None}
    if types <= {int, float} and types:
        return pl.Series(found, dtype=pl.Int64 if types == {int} else pl.Float64, strict=False)
    if len(types) == 1 and types <= {str, bool}:
        return pl.Series(found)
    return pl.Series([None if value is None else json.dumps(value) for value in found], dtype=pl.String)
