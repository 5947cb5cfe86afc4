"""`mlcore show` and `mlcore trace`: what the ledger knows, as a table for people and as JSON for machines."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

from ml_core import plan
from ml_core.cli.build import allowed_packages, build
from ml_core.cli.commands import print_json, print_line

BOARD = "search/best."  # metrics of a search over families: one a family
SHOWN = 14  # metrics in the table; `--json` has them all


def tracker():
    """The tracker that params.yaml names."""
    params = plan.load(Path("params.yaml"))
    if "tracking" not in params:
        raise ValueError("params.yaml has no section tracking; run `mlcore compose`")
    return build(params["tracking"], allowed_packages(), "tracking")


def show_runs(last: int, as_json: bool) -> None:
    """The last runs side by side, newest first; params that differ, then metrics with their change."""
    runs = tracker().runs(last)
    if as_json:
        print_json([dataclasses.asdict(run) for run in runs])
        return
    if not runs:
        print_line("no run yet; `mlcore run` makes one")
        return
    from rich.console import Console

    console = Console()
    console.print(_overview(runs))
    for run in runs:
        if run.message:
            console.print(f"[bold]{run.run_id[:8]}[/bold] {run.status}: {run.message}", highlight=False)
    if len(runs) > 1:
        console.print(_differences(runs), "")
    console.print(_metrics(runs), "")
    if board := leaderboard(runs[0].metrics):
        console.print(_board(board), "")
    if runs[0].journal:
        console.print(_journal(runs[0]))


def show_trace(name: str, as_json: bool) -> None:
    """Where a run or model came from."""
    from ml_core.tracking.trace import trace

    found = trace(tracker().read(name))
    if as_json:
        print_json(found)
        return
    for section, known in found.items():
        print_line(section)
        for key, value in known.items() if isinstance(known, dict) else [("", known)]:
            print_line(f"  {key:24} {value}" if key else f"  {value}")


def _grid(title, *columns):
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 else "right", no_wrap=i == 0)
    return table


def _overview(runs):
    table = _grid(None, "run", *[(run.run_id or "")[:8] for run in runs])
    table.add_row("status", *[run.status for run in runs])
    table.add_row("when (UTC)", *[_moment(run.ended) for run in runs])
    for tag in ("model", "data", "git.sha", "git.dirty"):
        table.add_row(tag, *[str(run.tags.get(tag, ""))[:24] for run in runs])
    return table


def _moment(milliseconds):
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M") if milliseconds else ""


def _differences(runs):
    """Params that are not the same in all runs shown."""
    table = _grid("\nparams that differ", "", *["" for _ in runs])
    names = sorted(set().union(*(run.params for run in runs)))
    differing = [name for name in names if len({run.params.get(name) for run in runs}) > 1]
    for name in differing[:SHOWN]:
        table.add_row(name, *[str(run.params.get(name, "-"))[:40] for run in runs])
    if len(differing) > SHOWN:
        table.add_row(f"and {len(differing) - SHOWN} more (--json)")
    if not differing:
        table.add_row("none")
    return table


def _metrics(runs):
    """The newest run's metrics, intervals folded into their value, and the change since the one before."""
    against = ["change"] if len(runs) > 1 else []
    table = _grid("\nnumbers", "", "newest", "95 % interval", *["before"] * bool(against), *against)
    new, old = runs[0].metrics, runs[1].metrics if against else {}
    names = [n for n in new if not n.endswith((".low", ".high", ".n")) and not n.startswith(BOARD)]
    order = sorted(names, key=lambda name: (not name.startswith("evaluate/"), name))
    for name in order[:SHOWN]:
        low, high = new.get(f"{name}.low"), new.get(f"{name}.high")
        interval = f"{low:.4g} .. {high:.4g}" if low is not None and high is not None else ""
        cells = [f"{new[name]:.5g}", interval]
        if against:
            before = old.get(name)
            cells += ["-", ""] if before is None else [f"{before:.5g}", f"{new[name] - before:+.3g}"]
        table.add_row(name, *cells)
    if len(order) > SHOWN:
        table.add_row(f"and {len(order) - SHOWN} more (--json)")
    return table


def leaderboard(metrics: dict) -> list[tuple[str, float]]:
    """[(family, the best score of its candidates)] of a search over families, the best first."""
    found = {name: score for name, score in metrics.items() if name.startswith(BOARD)}
    return sorted(((n.removeprefix(BOARD), s) for n, s in found.items()), key=lambda pair: -pair[1])


def _board(board):
    table = _grid("\nfamilies searched", "", "best score")
    for family, score in board:
        table.add_row(family, f"{score:.5g}")
    return table


def _journal(run):
    table = _grid("\nsteps of the newest run", "", "seconds", "peak MB")
    for entry in run.journal:
        table.add_row(
            entry["step"], _number(entry.get("seconds"), ".2f"), _number(entry.get("peak_mb"), ".0f")
        )
    return table


def _number(value, form):
    return "" if value is None else format(value, form)
