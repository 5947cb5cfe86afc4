"""Brings what is stale up to date in ONE process, and lets DVC decide and record everything.

DVC runs every stage command through one function. With that replaced by a call in this process for our own
commands, all else stays DVC's: graph, hashes, lock, run cache, restore. So `mlcore run` and `dvc repro` may
take turns at any moment.
"""

import contextlib
import fcntl
import json
import logging
import os
import shlex
import shutil
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from ml_core.interrupts import Interrupts

AWAY = 75  # exit code of what may work when tried again, as sysexits.h has it
HOME = Path(".mlcore")
LOCK, SPARE = Path("dvc.lock"), HOME / "dvc.lock"


class Stopped(Exception):
    """The run ended early: a line or two for the user. ``code`` as in docs/contracts.md."""

    def __init__(self, message: str, code: int = 2):
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Share:
    """How a run works with others: bring what they made from the DVC remote, push what it made, take turns.

    ``wait`` lets a run wait for the one that works in this checkout, instead of refusing; with ``restore`` it
    only brings back what was made before, up to the first stage that would have to run.
    """

    pull: bool = False
    push: bool = False
    wait: bool = False
    restore: bool = False


def bring_up_to_date(
    call: Callable[[str], None],
    targets: list[str] | None = None,
    force: bool = False,
    said: Callable[[str], None] = lambda stage: None,
    share: Share | None = None,
) -> dict[str, str]:
    """Stage name -> "ran", "restored", "unchanged" or "stale". ``call(step)`` runs one of our steps here.

    ``said(stage)`` hears each that begins. Stopped when DVC refuses; what ``call`` raises passes through.
    """
    share = share or Share()
    from dvc.exceptions import DvcException, FileTransferError
    from dvc.repo import Repo

    happened: dict[str, str] = {}

    def begins(stage):
        if share.restore:
            raise _Stale
        happened[stage] = "ran"
        said(stage)

    try:
        with (
            alone(share.wait), quiet(), whole_lock(), Interrupts() as interrupts, Repo() as repo,
            in_process(interrupts.heard(call), begins) as here,
        ):  # fmt: skip
            heal_table_of_users(repo)
            walk = {"targets": targets, "force": force, "pull": share.pull}
            found = _restored(repo, walk, here) if share.restore else _walked(repo, walk)
            names = [stage.addressing for stage in repo.index.stages]
            if share.push:
                repo.push(run_cache=True)
    except FileTransferError as error:
        raise _away(error) from error
    except DvcException as error:
        raise _cause(error) from error
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        raise Stopped(f"{error.strerror or error}{place}; nothing was lost, fix it and run again") from error
    except Exception as error:  # what the libraries below DVC raise when a remote does not answer
        if not (share.pull or share.push):
            raise
        raise _away(error) from error
    return {name: happened.get(name, found.get(name, "unchanged")) for name in names}


def _walked(repo, walk):
    """Stage -> "restored" of those that DVC had to touch; which of them ran the caller knows."""
    return {stage.addressing: "restored" for stage in repo.reproduce(**walk)}


def _restored(repo, walk, here):
    """Stage -> "restored" or "stale": DVC's walk up to the first stage that would have to run."""
    from dvc.exceptions import DvcException

    try:
        if here:
            return _walked(repo, walk)
    except DvcException as error:
        if not isinstance(_cause(error), _Stale):
            raise
    changed = repo.status()
    names = [stage.addressing for stage in repo.index.stages]
    return {name: "stale" if name in changed else "restored" for name in names}


class _Stale(Exception):
    """A stage would have to run, and only what was made before is wanted."""


def _cause(error):
    """What our step raised, dug out of DVC's wrappers; else DVC's own words as Stopped."""
    chain, seen = error, []
    while chain is not None:
        if isinstance(chain, _OursFailed):
            return chain.error
        if isinstance(chain, KeyboardInterrupt | _Stale):
            return chain
        seen.append(str(chain))
        chain = chain.__cause__ or chain.__context__
    words = " ".join(
        dict.fromkeys(line.strip() for text in seen for line in text.splitlines() if line.strip())
    )
    return Stopped(f"dvc: {words[:400]}")


def _away(error):
    """A remote that cannot be reached now: worth another try, unlike a mistake."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return Stopped(
        f"the DVC remote did not work: {said[:300]}; is it reachable from here, are its credentials set? "
        "What was computed is kept in the cache, the same command goes on",
        AWAY,
    )


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
def alone(wait: bool = False) -> Generator[None]:
    """One run at a time in a checkout; the kernel drops the lock with the process, however that ends."""
    HOME.mkdir(exist_ok=True)
    with open(HOME / "run.lock", "a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
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


@contextlib.contextmanager
def whole_lock() -> Generator[None]:
    """A dvc.lock cut short by a kill is put back as the last whole one; DVC rewrites it in place."""
    from ml_core.plan import load

    try:
        whole = not LOCK.exists() or bool(load(LOCK).get("schema"))
    except ValueError:
        whole = False
    if not whole and SPARE.exists():
        shutil.copyfile(SPARE, LOCK)
    elif not whole:
        LOCK.unlink()
    try:
        yield
    finally:
        if LOCK.exists():
            temporary = SPARE.with_name(f".dvc.lock.{os.getpid()}")
            shutil.copyfile(LOCK, temporary)
            temporary.replace(SPARE)


def heal_table_of_users(repo) -> None:
    """DVC's table of who reads and writes what is written in place: one cut short by a kill is dropped.

    Its guard is held meanwhile, so that whoever wrote the torn table is dead.
    """
    from dvc.lock import make_lock
    from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK

    table, guard = Path(repo.tmp_dir) / RWLOCK_FILE, Path(repo.tmp_dir) / RWLOCK_LOCK
    if not table.exists():
        return
    by_link = repo.config["core"].get("hardlink_lock", False)
    with make_lock(str(guard), tmp_dir=repo.tmp_dir, hardlink_lock=by_link):
        try:
            json.loads(table.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except ValueError:
            table.unlink()
