"""Brings what is stale up to date in ONE process, and lets DVC decide and record everything.

DVC runs every stage command through one function. With that replaced by a call in this process for our own
commands, all else stays DVC's: graph, hashes, lock, run cache, restore. So `mlcore run` and `dvc repro` may
take turns at any moment.
"""

import contextlib
import fcntl
import logging
import os
import shlex
import shutil
from collections.abc import Callable, Generator
from pathlib import Path

HOME = Path(".mlcore")
LOCK, SPARE = Path("dvc.lock"), HOME / "dvc.lock"


class Stopped(Exception):
    """The run ended early: a line or two for the user. ``code`` as in docs/contracts.md."""

    def __init__(self, message: str, code: int = 2):
        super().__init__(message)
        self.code = code


def bring_up_to_date(
    call: Callable[[str], None],
    targets: list[str] | None = None,
    force: bool = False,
    said: Callable[[str], None] = lambda stage: None,
) -> dict[str, str]:
    """Stage name -> "ran", "restored" or "unchanged". ``call(step)`` runs one of our steps here.

    ``said(stage)`` hears each that begins. Stopped when DVC refuses; what ``call`` raises passes through.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    heal_lock()
    happened: dict[str, str] = {}

    def begins(stage):
        happened[stage] = "ran"
        said(stage)

    try:
        with alone(), quiet(), Repo() as repo, in_process(call, begins):
            for stage in repo.reproduce(targets=targets, force=force):
                happened.setdefault(stage.addressing, "restored")
            names = [stage.addressing for stage in repo.index.stages]
    except DvcException as error:
        raise _cause(error) from error
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        raise Stopped(f"{error.strerror or error}{place}; nothing was lost, fix it and run again") from error
    finally:
        keep_lock()
    return {name: happened.get(name, "unchanged") for name in names}


def _cause(error):
    """What our step raised, dug out of DVC's wrappers; else DVC's own words as Stopped."""
    chain, seen = error, []
    while chain is not None:
        if isinstance(chain, _OursFailed):
            return chain.error
        seen.append(str(chain))
        chain = chain.__cause__ or chain.__context__
    words = " ".join(
        dict.fromkeys(line.strip() for text in seen for line in text.splitlines() if line.strip())
    )
    return Stopped(f"dvc: {words[:400]}")


class _OursFailed(Exception):
    """Carries a step's own failure through DVC's, which knows only exit codes."""

    def __init__(self, error):
        super().__init__(str(error))
        self.error = error


@contextlib.contextmanager
def in_process(call: Callable[[str], None], said: Callable[[str], None]) -> Generator[bool]:
    """While open, DVC runs `mlcore STEP` by ``call(STEP)``; any other command still gets its shell.

    The seam is a private name of DVC's (dvc.stage.run._run, 3.67), held by tests/test_runner.py: where it is
    gone, every stage gets a process, and False is yielded.
    """
    from dvc.stage import run as seam

    original = getattr(seam, "_run", None)
    if original is None:
        logging.getLogger("ml_core").warning(
            "this DVC has no dvc.stage.run._run; each stage gets its own process"
        )
        yield False
        return

    def ours(executable, cmd, **kwargs):
        from dvc.stage.exceptions import StageCmdFailedError

        words = shlex.split(cmd)
        said((kwargs.get("env") or {}).get("DVC_STAGE", words[-1]))
        if (
            len(words) != 2
            or words[0] != "mlcore"
            or not is_step(words[1])
            or Path(kwargs["cwd"]) != Path.cwd()
        ):
            return original(executable, cmd, **kwargs)
        try:
            return call(words[1])
        except Exception as error:
            raise StageCmdFailedError(cmd, getattr(error, "code", 1)) from _OursFailed(error)

    seam._run = ours
    try:
        yield True
    finally:
        seam._run = original


def is_step(name: str) -> bool:
    """Whether ml_core/steps has a file of that name."""
    return name.isidentifier() and (Path(__file__).parent / "steps" / f"{name}.py").exists()


@contextlib.contextmanager
def alone() -> Generator[None]:
    """One run at a time in a checkout; the kernel drops the lock with the process, however that ends."""
    HOME.mkdir(exist_ok=True)
    with open(HOME / "run.lock", "a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            who = handle.read().strip() or "unknown"
            raise Stopped(
                f"another `mlcore run` (process {who}) works here; wait for it or use a second clone"
            ) from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """DVC's own lines off: the caller reports in its words."""
    logger = logging.getLogger("dvc")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def heal_lock() -> None:
    """A dvc.lock cut short by a kill is put back as the last whole one; DVC rewrites it in place."""
    if not LOCK.exists():
        return
    from ml_core.plan import load

    try:
        if load(LOCK).get("schema"):
            return
        raise ValueError("no schema")
    except ValueError:
        if SPARE.exists():
            shutil.copyfile(SPARE, LOCK)
        else:
            LOCK.unlink()


def keep_lock() -> None:
    """Remember the lock as it is now, whole."""
    if LOCK.exists():
        HOME.mkdir(exist_ok=True)
        temporary = SPARE.with_name(f".dvc.lock.{os.getpid()}")
        shutil.copyfile(LOCK, temporary)
        temporary.replace(SPARE)
