"""What a search leaves on disk: its trials as json (exact) and as parquet (a column a parameter)."""

import json
from pathlib import Path

import numpy as np

from ml_core.search.choose import front


def write(out: Path, trials, metrics: list[str], task: str) -> None:
    """trials.json and trials.parquet; ``metrics`` names the one that decides, then the further ones."""
    mean, spread = trials.mean, trials.spread
    further = {name: scores.mean(axis=1) for name, scores in trials.more.items()}
    best = front(trials) if further else None
    rows = []
    for i, candidate in enumerate(trials.candidates):
        row = {
            "trial": i,
            "params": candidate,
            "mean": known(mean[i]),
            "spread": known(spread[i]),
            "scores": [known(score) for score in trials.scores[i]],
            "share": float(trials.shares[i]),
        }
        if further:
            row["metrics"] = {name: known(values[i]) for name, values in further.items()}
            row["front"] = bool(best[i])
        if trials.outrun.any():
            row["note"] = outrun(trials, i) if trials.outrun[i] else None
        rows.append(row | {"error": trials.errors[i]})
    whole = {"task": task, "metric": metrics[0], "folds": trials.scores.shape[1]}
    whole |= {"metrics": metrics} if further else {}
    whole |= {"stopped": trials.stopped} if trials.stopped else {}
    put(out / "trials.json", whole | {"trials": rows})
    flat(rows).write_parquet(out / "trials.parquet")


def outrun(trials, i: int) -> str:
    """What is known of a trial that racing stopped."""
    done, folds = np.isfinite(trials.scores[i]).sum(), trials.scores.shape[1]
    return f"stopped after {done} of {folds} folds, {trials.behind(i):.4g} behind the best on them"


def put(path: Path, document: dict) -> None:
    """A json file as all of ours are."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


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
    for name in rows[0].get("metrics", {}):
        columns[f"metric.{name}"] = pl.Series([row["metrics"][name] for row in rows], dtype=pl.Float64)
    if "front" in rows[0]:
        columns["front"] = [row["front"] for row in rows]
    for j in range(len(rows[0]["scores"])):
        columns[f"fold.{j}"] = pl.Series([row["scores"][j] for row in rows], dtype=pl.Float64)
    if "note" in rows[0]:
        columns["note"] = pl.Series([row["note"] for row in rows], dtype=pl.String)
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
