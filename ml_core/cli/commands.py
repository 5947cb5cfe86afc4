"""Every command of mlcore, as thin as it can be: words in, the right function, words out."""

import json as json_text
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Declare the pipeline once, run it everywhere, believe its numbers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="For machines: one JSON document on stdout.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="Hydra overrides: model=forest data.path=x.csv")]


@app.command()
def compose(
    overrides: Overrides = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit 1 with a diff unless params.yaml is what conf/ gives.")
    ] = False,
) -> None:
    """Write params.yaml: conf/ with today's choices, resolved."""
    from ml_core.cli import compose as composer

    if check:
        diff = composer.check()
        if diff:
            print_line(diff.rstrip())
            print_error(
                f"params.yaml is not what conf/ gives; keep it: {composer.advice()}; drop it: mlcore compose"
            )
            raise typer.Exit(1)
        return
    changed = composer.write(overrides or [])
    print_line("params.yaml written" if changed else "params.yaml is as it was")


@app.command()
def run(
    stages: Annotated[
        list[str] | None,
        typer.Argument(help="Stages to bring up to date, with what they need; all by default."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Run every stage, stale or not.")] = False,
    json: Json = False,
) -> None:
    """Bring what is stale up to date, in one process; same dvc.lock as `dvc repro`."""
    from ml_core.cli.run import run_pipeline

    run_pipeline(stages or None, force, json)


@app.command()
def show(
    json: Json = False,
    last: Annotated[int, typer.Option(help="How many runs to look back.")] = 2,
) -> None:
    """What was run, with which numbers, against the previous run."""
    from ml_core.cli.show import show_runs

    show_runs(last, json)


@app.command()
def trace(
    run_or_model: Annotated[
        str, typer.Argument(help="A run id, or a model URI such as models:/NAME@champion.")
    ],
    json: Json = False,
) -> None:
    """Code, data, params and environment that a run or model came from."""
    from ml_core.cli.show import show_trace

    show_trace(run_or_model, json)


@app.command()
def reproduce(
    run_id: Annotated[str, typer.Argument(help="A run id as `mlcore show` prints it.")],
    keep: Annotated[
        Path | None, typer.Option(help="Folder to work in and keep; a temporary one by default.")
    ] = None,
) -> None:
    """Run a recorded run again from its commit and data; exit 0: bit-identical, 1: the first difference."""
    from ml_core.cli.reproduce import reproduce_run

    raise typer.Exit(reproduce_run(run_id, keep))


def _add_step(name: str) -> None:
    """One command per file in steps/: what dvc.yaml calls."""

    def command() -> None:
        from ml_core.cli.door import step

        outcome = step(name)
        if outcome.notes.get("message"):
            print_error(str(outcome.notes["message"]))

    command.__doc__ = f"Step {name} of the recipe, on the inputs that are there; see `mlcore run {name}`."
    app.command(name)(command)


@app.command()
def train(
    overrides: Overrides = None,
    multirun: Annotated[
        bool, typer.Option("--multirun", "-m", help="One job for each combination of model=a,b.")
    ] = False,
) -> None:
    """Step train of the recipe. With overrides or -m: Hydra runs the whole recipe once a job, without DVC."""
    if overrides or multirun:
        from ml_core.cli.jobs import run_jobs

        run_jobs(overrides or [], multirun)
        return
    from ml_core.cli.door import step

    step("train")


for _file in sorted((Path(__file__).parents[1] / "steps").glob("[a-z]*.py")):
    if _file.stem != "train":
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


def run_app(app: typer.Typer, words: list[str]) -> int:
    """Run one command; exit codes as in docs/contracts.md, and no traceback for a mistake of the user's."""
    try:
        if words and not words[0].startswith("-"):
            enter_project()
        result = app(words, prog_name="mlcore", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except typer.Exit as leave:
        return leave.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print_error("interrupted; what was finished is kept, the same command goes on from there")
        return 130
    except Exception as error:
        if hasattr(error, "show"):  # typer's own: wrong words on the command line
            error.show()
            return 2
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
