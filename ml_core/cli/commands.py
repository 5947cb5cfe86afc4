"""Every command of mlcore, as thin as it can be: words in, the right function, words out.

Click and not typer: typer 0.29 imports pydantic to read a command's words, a third of a second in each
process of a `dvc repro`.
"""

import json as json_text
import os
import shlex
import sys
from pathlib import Path

import click

from ml_core.cli.champion import COMMANDS, as_json
from ml_core.cli.scheduled import workspace


@click.group(no_args_is_help=True)
def app() -> None:
    """Declare the pipeline once, run it everywhere, believe its numbers."""


@app.command()
@click.argument("overrides", nargs=-1)
@click.option("--check", is_flag=True, help="Exit 1 with a diff unless params.yaml is what conf/ gives.")
@click.option("--keep", is_flag=True, help="On top of the choices of today, instead of in their place.")
def compose(overrides: tuple[str, ...], check: bool, keep: bool) -> None:
    """Write params.yaml: conf/ with OVERRIDES such as model=forest."""
    from ml_core.cli import compose as composer

    if keep:
        overrides = tuple(composer.onto_today(list(overrides)))
    if check:
        diff = composer.check()
        if diff:
            print_line(diff.rstrip())
            print_error(
                f"params.yaml is not what conf/ gives; keep it: {composer.advice()}; drop it: mlcore compose"
            )
            raise SystemExit(1)
        return
    changed = composer.write(list(overrides))
    print_line("params.yaml written" if changed else "params.yaml is as it was")


@app.command()
@click.argument("stages", nargs=-1)
@click.option("--force", "-f", is_flag=True, help="Run every stage, stale or not.")
@click.option("--pull", is_flag=True, help="Bring what others made from the DVC remote first.")
@click.option("--push", is_flag=True, help="Push what was made to the DVC remote, for others to bring.")
@click.option("--wait", is_flag=True, help="Wait for another run in this checkout instead of refusing.")
@click.option("--restore", is_flag=True, help="Only bring back what was made before; run nothing.")
@as_json
def run(stages: tuple[str, ...], force: bool, as_json: bool, **share: bool) -> None:
    """Bring what is stale up to date, in one process.

    All STAGES by default, else those named and what they need; the same dvc.lock as `dvc repro`.
    """
    from ml_core.cli.run import run_pipeline
    from ml_core.runner import Share

    run_pipeline(list(stages) or None, force, as_json, Share(**share))


@app.command()
@click.option("--last", default=2, show_default=True, help="How many runs to look back.")
@as_json
def show(last: int, as_json: bool) -> None:
    """Show what was run, with which numbers, against the previous run."""
    from ml_core.cli.show import show_runs

    show_runs(last, as_json)


@app.command()
@click.argument("run_or_model")
@as_json
def trace(run_or_model: str, as_json: bool) -> None:
    """Tell code, data, params and environment of a run.

    RUN_OR_MODEL is a run id or a model's address, such as models:/NAME@champion.
    """
    from ml_core.cli.show import show_trace

    show_trace(run_or_model, as_json)


@app.command()
@click.argument("run_id")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder to work in and keep.")
def reproduce(run_id: str, keep: Path | None) -> None:
    """Run a recorded run again from its commit and data.

    Exit code 0 when every output is bit-identical; 1 with the first difference.
    """
    from ml_core.cli.reproduce import reproduce_run

    raise SystemExit(reproduce_run(run_id, keep))


@app.command("report-change")
@click.argument("base", default="origin/main")
@click.option("--report", type=click.Path(path_type=Path), help="Write it here as well: .md or .html.")
def report_change(base: str, report: Path | None) -> None:
    """Tell what changed in the numbers since the commit BASE: both are run.

    Exit code 1 when one of them does not run.
    """
    from ml_core.cli import change

    raise SystemExit(change.report_change(base, report))


@app.command()
@as_json
def schedule(as_json: bool) -> None:
    """List the schedules: when each is next, how it ended last, which model is champion."""
    from ml_core.cli.timetable import show_timetable

    raise SystemExit(show_timetable(as_json))


@app.command()
@click.option("--port", default=8080, show_default=True, help="On 127.0.0.1.")
def airflow(port: int) -> None:
    """Start Airflow for this checkout on 127.0.0.1; Ctrl-C ends it."""
    from ml_core.cli.standalone import run as start

    raise SystemExit(start(port))


app.add_command(workspace)
for _command in COMMANDS:
    app.add_command(_command)


@app.command()
@click.argument("overrides", nargs=-1)
@click.option("--multirun", "-m", is_flag=True, help="One job for each combination of model=a,b.")
def train(overrides: tuple[str, ...], multirun: bool) -> None:
    """Run step train; with OVERRIDES, the whole recipe by Hydra.

    With OVERRIDES or -m each job runs every step in a folder of its own under multirun/, without DVC.
    """
    if overrides or multirun:
        from ml_core.cli.jobs import run_jobs

        run_jobs(list(overrides), multirun)
        return
    from ml_core.cli.door import step

    step("train")


@app.command()
@click.option("--take-best", is_flag=True, help="End the search that was cut short with what it has found.")
def search(take_best: bool) -> None:
    """Run step search on the inputs that are there.

    Cut short by Ctrl-C or a kill, the same command goes on from what was finished.
    """
    if take_best:
        from ml_core.search import journal
        from ml_core.steps.search import JOURNALS

        journal.take_best(JOURNALS)
    _run_step("search")


def _run_step(name: str) -> None:
    from ml_core.cli.door import step

    outcome = step(name)
    if outcome.notes.get("message"):
        print_error(str(outcome.notes["message"]))


def _add_step(name: str) -> None:
    """One command per file in steps/: what dvc.yaml calls."""

    def command() -> None:
        _run_step(name)

    app.command(name, help=f"Run step {name} on the inputs that are there.")(command)


for _file in sorted((Path(__file__).parents[1] / "steps").glob("[a-z]*.py")):
    if _file.stem not in ("search", "train"):
        _add_step(_file.stem)


def print_line(text: str) -> None:
    """To the user."""
    sys.stdout.write(text + "\n")


def print_json(document: object) -> None:
    """To a machine."""
    print_line(json_text.dumps(document, indent=1, ensure_ascii=False, default=str))


def print_error(text: str) -> None:
    """To the user, beside what a machine reads."""
    sys.stderr.write(text + "\n")


def run_app(words: list[str]) -> int:
    """Run one command; exit codes as in docs/contracts.md, and no traceback for a mistake of the user's."""
    try:
        if words and not words[0].startswith("-"):
            enter_project()
        return app(words, prog_name="mlcore", standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        choices = [word for word in words[1:] if "=" in word]
        if choices and "unexpected extra argument" in error.format_message():
            print_error(f"Choices are composed first: mlcore compose {shlex.join(choices)}")
        return 2
    except (KeyboardInterrupt, click.Abort) as end:
        said = next((str(one) for one in (end, end.__cause__) if isinstance(one, KeyboardInterrupt)), "")
        kept = "what was finished is kept, the same command goes on from there"
        print_error("; ".join(filter(None, ["interrupted", said, kept])))
        return 130
    except SystemExit as leave:
        return leave.code
    except Exception as error:
        code = error_code(error)
        if code is None:
            raise
        message = error.args[0] if isinstance(error, KeyError) and error.args else error
        step = error.name if hasattr(error, "code") and hasattr(error, "name") else words[0]
        print_error(f"mlcore {step}: {message}")
        return code


def error_code(error: Exception) -> int | None:
    """Exit code of what was raised: its own, 1 for a check that said no, 2 for a mistake; None is our bug."""
    from ml_core.outcome import CheckFailed

    if isinstance(getattr(error, "code", None), int):
        return error.code
    if isinstance(error, CheckFailed):
        return 1
    return 2 if isinstance(error, ValueError | KeyError | OSError | ModuleNotFoundError) else None


def enter_project() -> None:
    """Go to the folder that holds dvc.yaml: this one or the nearest above."""
    for folder in [Path.cwd(), *Path.cwd().parents]:
        if (folder / "dvc.yaml").exists():
            os.chdir(folder)
            return
    raise FileNotFoundError(f"no dvc.yaml in {Path.cwd()} or above; go to the project's folder")
