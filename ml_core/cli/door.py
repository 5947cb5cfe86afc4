"""The door of a step: params.yaml -> objects -> step -> out/STEP, its metrics and the journal.

`mlcore STEP` in a process of its own, `mlcore run` in one process and Hydra's jobs all come through `step`.
"""

import contextlib
import importlib
import inspect
import json
import logging
import os
import resource
import shutil
import time
import traceback
import warnings
from pathlib import Path

from ml_core import plan
from ml_core.cli.build import allowed_packages, build, check_arguments
from ml_core.models.file import trusting
from ml_core.outcome import CheckFailed, Outcome

DONE, REFUSED, MISTAKE, INTERRUPTED, BUG = 0, 1, 2, 130, 70
HOME = Path(".mlcore")
FULL = ("No space left on device", "Disk quota exceeded", "File too large")


class Failed(Exception):
    """A step that ended badly: its exit code, and what to tell the user in one or two lines."""

    def __init__(self, name: str, code: int, message: str):
        super().__init__(message)
        self.name, self.code, self.message = name, code, message


def step(name: str, work: Path = Path("out"), params: dict | None = None) -> Outcome:
    """Run step ``name``; its folder appears whole or not at all. Failed says what to tell the user."""
    started, cpu = time.time(), time.process_time()
    fresh = work / f".{name}"
    _forget_peak()
    try:
        with undisturbed(), trusting(allowed_packages()):
            recipe = plan.load(Path("dvc.yaml"))
            params = plan.load(Path("params.yaml")) if params is None else params
            function, arguments = prepare_call(name, recipe, params)
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(parents=True)
            outcome = function(fresh, **arguments)
            _settle(name, work, fresh, outcome)
    except KeyboardInterrupt:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    except Exception as error:
        failure = _explain(name, error)
        _keep_failure(name, fresh, error)
        _journal(name, started, cpu, {"status": "FAILED", "message": failure.message})
        _tell_tracker(name, failure, params)
        raise failure from error
    _journal(name, started, cpu, {"status": "FINISHED", "notes": outcome.notes})
    return outcome


def prepare_call(name: str, recipe: dict, params: dict):
    """The step's function, and its arguments: the sections that its stage lists in dvc.yaml."""
    body = (recipe.get("stages") or {}).get(name)
    if body is None:
        raise ValueError(f"dvc.yaml has no stage {name!r}; it has {', '.join(recipe.get('stages') or {})}")
    function = getattr(importlib.import_module(f"ml_core.steps.{name}"), name)
    allowed, arguments = allowed_packages(), {}
    for section in body.get("params") or []:
        if section not in params:
            raise ValueError(
                f"params.yaml has no section {section!r}, which step {name} takes; run `mlcore compose`"
            )
        built = build(params[section], allowed, section)
        if section == name and isinstance(built, dict):
            arguments |= built
        else:
            arguments[section] = built
    if getattr(arguments.get(name), "warm_start", None):
        from ml_core.cli.warm import warmed

        arguments[name] = warmed(arguments[name], params, allowed)
    takes_out = next(iter(inspect.signature(function).parameters))
    check_arguments(function, {takes_out: None} | arguments, name)
    return function, arguments


def _settle(name, work, fresh, outcome):
    """Rename the finished folder into place, then its metrics: a kill leaves nothing half-written."""
    final = work / name
    if final.is_dir():
        shutil.rmtree(final)
    fresh.rename(final)
    if not outcome.metrics:
        return
    numbers = work / f"{name}.json"
    temporary = work / f".{name}.json"
    temporary.write_text(json.dumps(outcome.metrics, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(numbers)


def _explain(name, error):
    """What a failure means to the user: exit code and a line or two."""
    if isinstance(error, Failed):
        return error
    message = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if isinstance(error, CheckFailed):
        return Failed(name, REFUSED, message)
    if isinstance(error, OSError) and error.errno:
        place = f" ({error.filename})" if error.filename else ""
        return Failed(
            name,
            MISTAKE,
            f"{error.strerror or message}{place}; nothing was changed, free or fix it and run again",
        )
    full = next((words for words in FULL if words in message), None)
    if full:  # polars and Arrow wrap the system's words
        return Failed(name, MISTAKE, f"{full.lower()}; nothing was changed, free some and run again")
    if isinstance(error, ValueError | KeyError | FileNotFoundError | ModuleNotFoundError):
        return Failed(name, MISTAKE, message)
    if isinstance(error, MemoryError):
        return Failed(name, MISTAKE, f"out of memory: {message}")
    where = HOME / "failed" / name / "traceback.txt"
    return Failed(
        name,
        BUG,
        f"{type(error).__name__}: {message}\na bug in ml_core or in a model; the traceback lies in {where}",
    )


def _keep_failure(name, fresh, error):
    """Move what a failed step wrote, such as the data gate's report, out of the way of the outputs."""
    kept = HOME / "failed" / name
    with contextlib.suppress(OSError):
        shutil.rmtree(kept, ignore_errors=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        if fresh.is_dir() and isinstance(error, CheckFailed):
            shutil.move(fresh, kept)
        shutil.rmtree(fresh, ignore_errors=True)
        kept.mkdir(exist_ok=True)
        (kept / "traceback.txt").write_text("".join(traceback.format_exception(error)), encoding="utf-8")


def _tell_tracker(name, failure, params):
    """A failed run belongs into the ledger as well; a ledger that fails too changes nothing."""
    if name == "log" or not params or "tracking" not in params:
        return
    with contextlib.suppress(Exception), undisturbed():
        from ml_core.steps.log import failed

        failed(build(params["tracking"], allowed_packages(), "tracking"), name, failure.message)


def _journal(name, started, cpu, more):
    """Seconds and memory of a step: what differs between two equal runs, and so belongs to no output."""
    entry = {
        "step": name,
        "started": round(started, 3),
        "seconds": round(time.time() - started, 3),
        "cpu_seconds": round(time.process_time() - cpu, 3),
        "peak_mb": round(_peak_mb(), 1),
        **more,
    }
    folder = HOME / "journal"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{name}.{os.getpid()}"
        temporary.write_text(json.dumps(entry, default=str, ensure_ascii=False), encoding="utf-8")
        temporary.replace(folder / f"{name}.json")


def _forget_peak():
    """Linux lets a process reset its high-water mark, so that each step of one process has its own peak."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mb():
    with contextlib.suppress(OSError, StopIteration, ValueError):
        status = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextlib.contextmanager
def undisturbed():
    """What a step did to the process is undone: folder, environment, warnings, handlers, numpy's seed."""
    import sys

    folder, environment, root = Path.cwd(), dict(os.environ), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    seed = sys.modules["numpy"].random.get_state() if "numpy" in sys.modules else None
    try:
        with warnings.catch_warnings():
            yield
    finally:
        os.chdir(folder)
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
        root.handlers[:] = handlers
        root.setLevel(level)
        if seed is not None:
            sys.modules["numpy"].random.set_state(seed)
