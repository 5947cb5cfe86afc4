"""The commands about the champion: promote, rollback, history, compare, gc."""

from pathlib import Path

import click

as_json = click.option("--json", "as_json", is_flag=True, help="For machines: one JSON document on stdout.")
a_report = click.option(
    "--report", type=click.Path(path_type=Path), help="Write the report here: .md (with plots) or .html."
)


@click.command()
@click.argument("run_id", required=False)
@click.option("--dry-run", is_flag=True, help="Judge, and change nothing.")
@a_report
@click.option("--approve-by", metavar="NAME", help="The person who said yes.")
@click.option("--reproduce", is_flag=True, help="Run it again as well, and compare every bit.")
@as_json
def promote(run_id: str | None, **options: object) -> None:
    """Judge a run against the champion; promote it if every gate passes.

    The last finished run by default. Exit code 0 promoted, 1 refused, 2 a mistake.
    """
    from ml_core.cli.promote import promote_run

    raise SystemExit(promote_run(run_id, options))


@click.command()
@click.option("--to", metavar="VERSION", help="By default the champion before this one.")
@click.option("--reason", required=True, help="Why; the history keeps it.")
@click.option("--force", is_flag=True, help="Even if it no longer says what it said.")
@as_json
def rollback(to: str | None, reason: str, force: bool, as_json: bool) -> None:
    """Make an earlier version champion again, if it still loads and says what it said."""
    from ml_core.cli.promote import roll_back_to

    roll_back_to(to, reason, force, as_json)


@click.command()
@as_json
def history(as_json: bool) -> None:
    """Tell who moved the champion, when, from what to what, and why."""
    from ml_core.cli.promote import show_history

    show_history(as_json)


@click.command()
@click.argument("run_a")
@click.argument("run_b")
@a_report
def compare(run_a: str, run_b: str, report: Path | None) -> None:
    """Compare two runs pair by pair, on the test rows of RUN_A that are new to both."""
    from ml_core.cli.promote import compare_runs

    compare_runs(run_a, run_b, report)


@click.command()
@click.option("--days", type=int, help="Keep what is younger; by default promote.keep_days.")
@click.option("--apply", is_flag=True, help="Remove; without it, tell only.")
@as_json
def gc(days: int | None, apply: bool, as_json: bool) -> None:
    """Remove old versions, runs' files and DVC objects that nothing needs.

    Never of what champion, previous or any other alias leads to, nor of a version or run tagged pinned=true.
    """
    from ml_core.cli.promote import collect_garbage

    collect_garbage(days, apply, as_json)


COMMANDS = (promote, rollback, history, compare, gc)
