"""A folder of its own for a scheduled run: a clone at one commit, composed, with the cache shared.

The live checkout is never touched, and two runs never meet. A workspace is opened by name, any number of
times, on any machine that reaches the origin: what is there already is used, what is not is made anew.
"""

import configparser
import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

AWAY = 75  # exit code of what may work when tried again, as sysexits.h has it
MARK = Path(".mlcore/workspace.json")
DONE, OPEN = "done", "open"
AGE_DAYS, DONE_KEPT, OTHERS_KEPT, MOMENT = 7.0, 3, 20, 600.0
IDENTITY = ("-c", "user.name=ml_core", "-c", "user.email=ml_core@localhost")


class Away(ConnectionError):
    """The origin does not answer now."""

    code = AWAY


@dataclass(frozen=True)
class Order:
    """What a workspace holds.

    Attributes
    ----------
    name : of the folder, and of the branch candidate/NAME
    home : the checkout whose ledger, DVC settings and cache the run shares
    place : folder of the workspaces
    origin : what is cloned and pushed to: an address of git's, or a path; the checkout itself by default
    commit : None for where the origin's HEAD stands when the workspace is first opened
    overrides : handed to `mlcore compose --keep`
    """

    name: str
    home: Path
    place: Path
    origin: str
    commit: str | None = None
    overrides: tuple[str, ...] = ()


def order(name: str, home: Path, commit: str | None = None, overrides: tuple[str, ...] = ()) -> Order:
    """An Order as the environment has it: MLCORE_WORKSPACES and MLCORE_ORIGIN, else the checkout's own."""
    place = os.environ.get("MLCORE_WORKSPACES")
    place = Path(place).expanduser() if place else home / ".mlcore" / "workspaces"
    origin = os.environ.get("MLCORE_ORIGIN") or str(home)
    return Order(safe(name), home, place.absolute(), origin, commit, tuple(overrides))


def safe(name: str) -> str:
    """A name as a folder and a branch may have it."""
    found = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:120]
    if not found:
        raise ValueError(f"workspace: got the name {name!r}, must have letters or digits")
    return found


def opened(wanted: Order) -> dict:
    """The workspace, made where it is not there yet: {folder, commit, branch}.

    It appears whole or not at all. ValueError in a line or two for an origin, a commit or an override that
    cannot be.
    """
    folder = wanted.place / wanted.name
    known = mark(folder)
    if known is None:
        wanted.place.mkdir(parents=True, exist_ok=True)
        fresh = wanted.place / f".{wanted.name}.{os.getpid()}"
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            _filled(fresh, wanted)
            with contextlib.suppress(OSError):  # another task of the same run was quicker
                fresh.rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        known = mark(folder)
    if known["overrides"] != list(wanted.overrides):
        raise ValueError(
            f"workspace {wanted.name} was opened with {' '.join(known['overrides']) or 'no overrides'}, now "
            f"{' '.join(wanted.overrides) or 'none'} are asked for; choose another name"
        )
    with contextlib.suppress(OSError):
        os.utime(folder / MARK)  # in use: not to be swept
    return {"folder": str(folder), "commit": known["commit"], "branch": f"candidate/{wanted.name}"}


def _filled(fresh, wanted):
    """Clone, check out, share cache and data, compose, mark."""
    local = Path(wanted.origin).is_dir()
    _git(wanted.place, "clone", "-q", "--no-checkout", *(["--shared"] if local else []), wanted.origin, fresh)
    commit = wanted.commit or _git(fresh, "rev-parse", "--verify", "-q", "HEAD^{commit}")
    _git(fresh, "checkout", "-q", "-B", f"candidate/{wanted.name}", commit)
    commit = _git(fresh, "rev-parse", "HEAD")
    _settings(fresh, wanted.home)
    words = ["compose", "--keep", *wanted.overrides] if wanted.overrides else ["compose", "--check"]
    _call([sys.executable, "-m", "ml_core", *words], fresh, MLCORE_CODE=str(fresh))
    _link_data(fresh, wanted.home)
    write_mark(fresh, {"commit": commit, "overrides": list(wanted.overrides), "state": OPEN})


def _settings(fresh, home):
    """DVC's private settings of the checkout (a remote's secrets among them), and its cache."""
    text = ""
    if (home / ".dvc/config.local").exists():
        text = (home / ".dvc/config.local").read_text(encoding="utf-8")
    if "[cache]" not in text:
        text += f"\n[cache]\n    dir = {cache(home)}\n"
    (fresh / ".dvc").mkdir(exist_ok=True)
    (fresh / ".dvc/config.local").write_text(text, encoding="utf-8")


def cache(home: Path) -> Path:
    """Where DVC keeps the outputs of a checkout."""
    found = _setting(home, "cache", "dir")
    return (home / ".dvc" / found).resolve() if found else (home / ".dvc/cache").resolve()


def remote(folder: Path) -> str | None:
    """Name of the DVC remote that outputs are shared by, or None."""
    return _setting(folder, "core", "remote")


def _setting(folder, section, key):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read([folder / ".dvc/config", folder / ".dvc/config.local"], encoding="utf-8")
    return parser.get(section, key, fallback=None)


def _link_data(fresh, home):
    """The source's file where it lies in or beside the checkout, and git does not bring it."""
    from ml_core.plan import load

    path = str((load(fresh / "params.yaml").get("data") or {}).get("path") or "")
    if not path or "://" in path or Path(path).is_absolute() or (fresh / path).exists():
        return
    if not (home / path).exists():
        raise ValueError(f"data.path={path}: neither the commit nor {home} has it; give an absolute path")
    link = Path(os.path.normpath(fresh / path))
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.symlink_to((home / path).resolve())


def mark(folder: Path) -> dict | None:
    """What a workspace says of itself; None where there is none."""
    try:
        return json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_mark(folder: Path, told: dict) -> None:
    """Let a workspace say ``told`` of itself."""
    (folder / MARK).parent.mkdir(exist_ok=True)
    temporary = folder / MARK.with_name(f".workspace.{os.getpid()}")
    temporary.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    temporary.replace(folder / MARK)


def publish(folder: Path, message: str) -> str:
    """Commit params.yaml and dvc.lock on the workspace's branch and push it to the origin; the branch.

    Again changes nothing. Away when the origin does not answer.
    """
    branch = _git(folder, "symbolic-ref", "--short", "HEAD")
    made = [name for name in ("params.yaml", "conf/today.yaml", "dvc.lock") if (folder / name).exists()]
    _git(folder, "add", "-f", "--", *made)
    if _git(folder, "status", "--porcelain", "--", *made):
        _git(folder, *_author(folder), "commit", "-q", "--no-verify", "-m", message)
    _git(folder, "push", "-q", "--force", "--no-verify", "origin", f"HEAD:refs/heads/{branch}")
    write_mark(folder, mark(folder) | {"state": DONE})
    return branch


def _author(folder):
    """Nobody's name where git knows none, as on a server."""
    known = subprocess.run(["git", "config", "user.email"], cwd=folder, capture_output=True, check=False)
    return () if known.returncode == 0 else IDENTITY


def swept(place: Path, age_days: float = AGE_DAYS, now: float | None = None) -> list[str]:
    """Remove workspaces that are old or too many; the names removed. One at work is left alone.

    Of those that published the newest few are kept; those that failed stay longer, for a look. One that a
    task opened a moment ago is between two tasks. Others may sweep at the same time.
    """
    now, seen, gone = now or time.time(), {DONE: 0, OPEN: 0}, []
    for seconds, folder in sorted(_workspaces(place, now)):
        state = DONE if (mark(folder) or {}).get("state") == DONE else OPEN
        seen[state] += 1
        old = seconds > 86400 * age_days
        many = seen[state] > (DONE_KEPT if state == DONE else OTHERS_KEPT)
        if (old or many) and seconds > MOMENT and not _at_work(folder):
            doomed = place / f".{folder.name}.gone"
            with contextlib.suppress(OSError):
                folder.rename(doomed)
                shutil.rmtree(doomed, ignore_errors=True)
                gone.append(folder.name)
    return gone


def _workspaces(place, now) -> Iterator[tuple[float, Path]]:
    """Seconds since a task opened it, and the folder."""
    for path in place.glob("[!.]*"):
        with contextlib.suppress(OSError):  # no workspace, or another sweep was quicker
            yield now - (path / MARK).stat().st_mtime, path


def _at_work(folder):
    """Whether a run holds the folder's lock."""
    path = folder / ".mlcore/run.lock"
    if not path.exists():
        return False
    with open(path) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _git(folder, *words):
    return _call(["git", *map(str, words)], folder)


def _call(words, folder, **environment):
    """What a command printed; ValueError with its last words, Away when a host does not answer."""
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0"} | environment
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode == 0:
        return done.stdout.strip()
    said = " ".join(line.strip() for line in (done.stderr or done.stdout).splitlines()[-2:] if line.strip())
    said = re.sub(r"(?<=://)[^/@\s'\"]+@", "", said)
    if re.search(r"resolve host|Connection (refused|timed out|reset)|unable to access", said):
        raise Away(f"{said}; is the origin reachable from this machine?")
    raise ValueError(said or f"{words[0]} {words[1]} ended with {done.returncode}")
