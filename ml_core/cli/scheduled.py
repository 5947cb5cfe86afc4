"""What a scheduler's tasks call: `mlcore workspace open | work | publish | do`.

Each opens the workspace by its name first, so that a task may run, or run again, on any machine. What runs in
a workspace is the code that lies in it. The last line on stdout is JSON.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import click


@click.group(hidden=True)
def workspace() -> None:
    """Run in a folder of its own: what a scheduler calls."""


def _command(command):
    """A command with what says which workspace: NAME --commit --override."""
    for option in (
        click.option("--override", "overrides", multiple=True, help="As for compose; once for each."),
        click.option("--commit", help="What to check out; by default where the origin stands."),
        click.argument("name"),
    ):
        command = option(command)
    return workspace.command()(command)


@_command
@click.option("--restore", "stages", multiple=True, help="Bring back this stage; once for each.")
def open(name: str, commit: str | None, overrides: tuple[str, ...], stages: tuple[str, ...]) -> None:
    """Clone, check out, compose; remove what is too old. Tells {folder, commit, branch, restored}.

    With --restore, what was made before by the same code, data and choices is brought back: those stages.
    """
    found = _opened(name, commit, overrides)
    if stages:
        happened = _run(found, [*stages, "--restore"], pull=True, push=True)
        found["restored"] = [stage for stage in stages if happened[stage] != "stale"]
    _tell(found)


@_command
@click.option("--stage", "stages", multiple=True, help="This one and what it needs; once for each.")
@click.option("--publish", "finish", is_flag=True, help="Then publish.")
def work(name: str, commit: str | None, overrides: tuple[str, ...], stages: tuple, finish: bool) -> None:
    """Bring the recipe, or stages, up to date; exit code as of `mlcore run`. Tells what each stage did."""
    from ml_core import lifeline

    lifeline.hold()
    found = _opened(name, commit, overrides)
    happened = _run(found, [*stages], pull=True, push=True)
    told = {"stages": happened} | _recorded(found)
    _tell(found | told | (_published(found, happened.get("log") == "ran") if finish else {}))


@_command
def publish(name: str, commit: str | None, overrides: tuple[str, ...]) -> None:
    """Push the branch candidate/NAME: params.yaml and dvc.lock. Tells the run."""
    _tell(_published(_opened(name, commit, overrides)))


@_command
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def do(name: str, commit: str | None, overrides: tuple[str, ...], words: tuple[str, ...]) -> None:
    """Run another command of mlcore in the workspace, such as promote; put -- before it."""
    from ml_core import lifeline

    lifeline.hold()
    found = _opened(name, commit, overrides)
    _whole(found)
    raise SystemExit(_inside(found, list(words), stdout=sys.stderr).returncode)  # its words are for the log


def _opened(name, commit, overrides):
    from ml_core import workspace

    wanted = workspace.order(name, Path.cwd(), commit, overrides)
    found = workspace.opened(wanted)
    for gone in workspace.swept(wanted.place):
        click.echo(f"removed the workspace {gone}", err=True)
    return found


def _published(found, logged=False):
    from ml_core import workspace
    from ml_core.tracking import pending

    _whole(found)
    if not logged and pending.waiting():  # with nothing new no log step sends what waits
        _inside(found, ["log"], stdout=sys.stderr)
    told = _recorded(found)
    run = told.get("run_id") or "not sent yet"
    message = f"Candidate {Path(found['folder']).name}\n\nRun {run}, receipt {told['receipt']}"
    workspace.publish(Path(found["folder"]), message)
    return found | told


def _whole(found):
    """Let the workspace hold what the recipe makes; another machine may have done the work."""
    if not (Path(found["folder"]) / "out/log/receipt.json").exists():
        _run(found, [], pull=True)


def _run(found, words, **shared):
    """`mlcore run` there, by turns and sharing what there is a remote for; stage -> what happened to it."""
    from ml_core import workspace

    if workspace.remote(Path(found["folder"])):
        words = [*words, *(f"--{way}" for way in shared)]
    done = _inside(found, ["run", *words, "--wait", "--json"], stdout=subprocess.PIPE)
    if done.returncode:
        raise SystemExit(done.returncode)
    stages = {key: told["what"] for key, told in json.loads(done.stdout)["stages"].items()}
    click.echo("  ".join(f"{key} {what}" for key, what in stages.items()), err=True)
    return stages


def _recorded(found):
    """What the run left: {receipt, run_id, data}, each where it is known."""
    from ml_core.tracking import lineage, pending

    told, receipt = {}, Path(found["folder"]) / "out/log/receipt.json"
    if receipt.exists():
        told["receipt"] = json.loads(receipt.read_text(encoding="utf-8"))["receipt"]
        told["run_id"] = pending.recorded(told["receipt"])
    ingested = lineage.data(lineage.lock(Path(found["folder"])), "")
    return told | ({"data": ingested} if ingested else {})


def _inside(found, words, **options):
    """A command of mlcore with the workspace's code.

    The ledger, what waits for it and compiled kernels are the checkout's.
    """
    folder, kernels = found["folder"], Path.cwd() / "ml_core/kernels/__pycache__"
    environment = {"MLCORE_KERNELS": str(kernels)} | os.environ
    environment |= {"DVC_ROOT": str(Path.cwd()), "MLCORE_CODE": folder}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
    words = [sys.executable, "-m", "ml_core", *words]
    return subprocess.run(words, cwd=folder, env=environment, text=True, check=False, **options)


def _tell(found):
    sys.stdout.write(json.dumps(found) + "\n")
