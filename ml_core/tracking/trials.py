"""A search in the ledger: its trials as a table and as pictures, and the best of them as child runs."""

import json
import math
from pathlib import Path

from ml_core.tracking.run import Run

EXACT = "search/trials.json"
MOST = 50  # child runs: more flood the page
PARENT = "mlflow.parentRunId"


def table(work: Path, place: Path) -> dict[str, Path]:
    """The trials as a table that MLflow's page shows: {"columns": [...], "data": [[...], ...]}."""
    path = work / "search" / "trials.parquet"
    if not path.exists():
        return {}
    import polars as pl

    frame = pl.read_parquet(path)
    rows = [[_cell(cell) for cell in row] for row in frame.rows()]
    text = json.dumps({"columns": frame.columns, "data": rows}, default=str, ensure_ascii=False)
    (place / "trials.json").write_text(text, encoding="utf-8")
    return {"trials.json": place / "trials.json"}


def pictures(work: Path, place: Path) -> dict[str, Path]:
    """The best over time, parallel coordinates and importance; none where there is nothing to compare."""
    path = work / "search" / "trials.json"
    if not path.exists():
        return {}
    from ml_core.report import png, trials

    charts = trials.charts(json.loads(path.read_text(encoding="utf-8")))
    folder = place / "search-plots"
    return {f"search/plots/{name}": folder / name for name in png.save(charts, folder)} if charts else {}


def check(children: int) -> None:
    """ValueError unless so many child runs are asked for as a page can show."""
    if isinstance(children, bool) or not 0 <= children <= MOST:
        raise ValueError(f"tracking.children: got {children!r}, must be 0 to {MOST} runs")


def leading(run: Run, most: int) -> list[dict]:
    """The best ``most`` trials of a run's search, as trials.json has them."""
    path = run.artifacts.get(EXACT)
    if not most or path is None or not Path(path).exists():
        return []
    trials = json.loads(Path(path).read_text(encoding="utf-8"))["trials"]
    largest = max((trial["share"] for trial in trials), default=0)
    able = [trial for trial in trials if trial["mean"] is not None and trial["share"] == largest]
    return sorted(able, key=lambda trial: -trial["mean"])[:most]


def keep_children(client, experiment: str, run: Run, most: int) -> None:
    """Child runs of the best ``most`` trials; those that an earlier try left whole stay."""
    wanted = leading(run, most)
    if not wanted:
        return
    there = client.search_runs([experiment], f"tags.`{PARENT}` = '{run.run_id}'", max_results=2 * MOST)
    whole = {child.data.tags.get("trial") for child in there if child.info.status == "FINISHED"}
    for trial in wanted:
        name = str(trial["trial"])
        if name in whole:
            continue
        tags = {PARENT: run.run_id, "trial": name}
        child = client.create_run(experiment, run.started or None, tags, f"trial {name}").info.run_id
        client.set_terminated(child, "KILLED")  # until all is in
        for key, value in trial["params"].items():
            client.log_param(child, key, value)
        for key, value in {
            "mean": trial["mean"],
            "spread": trial["spread"],
            **trial.get("metrics", {}),
        }.items():
            client.log_metric(child, key, value)
        client.set_terminated(child, "FINISHED", run.ended or None)


def _cell(value):
    """A cell as the page shows it: lists as text, nan as nothing."""
    if isinstance(value, list | dict):
        return json.dumps(value, default=str)
    return None if isinstance(value, float) and not math.isfinite(value) else value
