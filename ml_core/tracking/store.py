"""Is there an MLflow store to talk to? Answered in milliseconds, before its library is imported."""

import contextlib
import fcntl
import functools
import gc
import importlib.util
import logging
import os
import re
import socket
import sqlite3
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Generator
from pathlib import Path

from ml_core.tracking.run import TrackerDown, masked

REVISION = re.compile(r"^(down_)?revision(?:: [^=]+)? = [\"'](\w+)[\"']", re.M)

PORTS = {"postgresql": 5432, "postgres": 5432, "mysql": 3306, "mssql": 1433}
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true",  # it would ask a package index
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",  # a pool would hold the database open after we are done
    # at once: a server may close a kept connection in the very moment that it is used again
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # a server's runs would be announced amid our JSON
}


def sqlite_file(uri: str) -> Path | None:
    """The file behind a sqlite URI; None for any other."""
    scheme, _, path = uri.partition(":///")
    if not scheme.startswith("sqlite") or not path or path == ":memory:":
        return None
    return Path(path.partition("?")[0])


def has_content(file: Path) -> bool:
    """Whether there is a database to speak of: a file of no bytes is what a killed writer may leave."""
    return file.exists() and file.stat().st_size > 0


def check(uri: str, patience: float) -> None:
    """TrackerDown with the reason and the next move, unless the store at ``uri`` seems able to take runs."""
    file = sqlite_file(uri)
    if file is not None:
        if has_content(file):
            check_schema(uri, file)
    elif uri.startswith(("http://", "https://")):
        _within(patience, lambda: _ask(uri, patience), uri)
    elif uri.partition("+")[0].partition(":")[0] in PORTS:
        _within(patience, lambda: _knock(uri, patience), uri)


def check_schema(uri: str, file: Path) -> None:
    """A store written by another MLflow: said, never migrated behind the user's back (opening it would)."""
    try:
        # not mode=ro: a writer killed in mid-transaction leaves a journal, which only a writer may roll back
        with contextlib.closing(sqlite3.connect(file.as_uri() + "?mode=rw", uri=True, timeout=5)) as base:
            found = [row[0] for row in base.execute("select version_num from alembic_version")]
    except sqlite3.Error as error:
        if "no such table" in str(error):
            found = []
        else:
            raise TrackerDown(f"MLflow's store {file.name} cannot be read ({error})") from error
    head, known = revisions()
    if found == [head]:
        return
    if found and not set(found) <= known:
        raise TrackerDown(
            f"MLflow's store {file.name} was written by a newer MLflow than the installed; install that one"
        )
    advice = f"back it up, then type `mlflow db upgrade '{uri}'`"
    if not found:
        advice = "move it away, and a new one is made"
    raise TrackerDown(f"MLflow's store {file.name} has the form of an older MLflow\n{advice}")


@functools.cache
def revisions() -> tuple[str, set[str]]:
    """The newest form of a store that the installed MLflow knows, and all; read from its migrations' text."""
    found = importlib.util.find_spec("mlflow")
    if found is None:
        raise ModuleNotFoundError(
            "tracking=mlflow needs the package mlflow; install it, or compose with tracking=memory"
        )
    folder = Path(found.origin).parent / "store" / "db_migrations" / "versions"
    own, parents = set(), set()
    for path in folder.glob("*.py"):
        for down, revision in REVISION.findall(path.read_text(encoding="utf-8")):
            (parents if down else own).add(revision)
    (head,) = own - parents
    return head, own


def _ask(uri, patience):
    """Why the server cannot be talked to, or ""; any answer but a gateway's without a server will do."""
    parts = urllib.parse.urlsplit(uri)
    place = parts._replace(
        netloc=parts.netloc.rpartition("@")[2], path=parts.path.rstrip("/") + "/health", query=""
    )
    try:
        with urllib.request.urlopen(urllib.parse.urlunsplit(place), timeout=patience):
            return ""
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}" if error.code in (502, 503, 504) else ""
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            return ""  # MLflow has its own settings for certificates
        return str(getattr(error.reason, "strerror", None) or error.reason)
    except (OSError, ValueError) as error:
        return "no answer" if isinstance(error, TimeoutError) else str(error) or type(error).__name__


def _knock(uri, patience):
    """Why a database's port does not open, or "": MLflow itself would try for over a minute."""
    parts = urllib.parse.urlsplit(uri)
    try:
        port = parts.port or PORTS[parts.scheme.partition("+")[0]]
        socket.create_connection((parts.hostname or "127.0.0.1", port), timeout=patience).close()
    except (OSError, ValueError) as error:
        return (
            "no answer" if isinstance(error, TimeoutError) else getattr(error, "strerror", None) or str(error)
        )
    return ""


def _within(patience, question, uri):
    """Ask in a thread, since looking a name up knows no time limit."""
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(question()), daemon=True)
    asking.start()
    asking.join(patience)
    reason = answers[0] if answers else f"no answer in {patience:g} s"
    if reason:
        raise TrackerDown(f"MLflow is unreachable ({reason} at {masked(uri)})")


@contextlib.contextmanager
def quiet(patience: float) -> Generator[None, None, None]:
    """While open, MLflow phones nobody, prints nothing, retries once; then the process is as it was."""
    wanted = QUIET | {"MLFLOW_HTTP_REQUEST_TIMEOUT": str(max(1, round(patience)))}
    environment = {name: os.environ.get(name) for name in wanted}
    root, named = (
        logging.getLogger(),
        [logging.getLogger(name) for name in ("mlflow", "alembic", "sqlalchemy")],
    )
    handlers, levels = list(root.handlers), [logger.level for logger in (root, *named)]
    collecting = gc.isenabled()
    os.environ.update(wanted)
    for logger in named:
        logger.setLevel(logging.CRITICAL)
    gc.disable()  # importing MLflow makes half a million objects that stay; counting them is a tenth of it
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if collecting:
            gc.enable()
        for name, value in environment.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        root.handlers[:] = handlers  # MLflow's migrations set up logging for the whole process
        for logger, level in zip((root, *named), levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def held(path: Path, patience: float) -> Generator[None, None, None]:
    """One process at a time; the kernel frees the lock with the process, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + patience
    with open(path, "a") as handle:
        while not _taken(handle):
            if time.monotonic() > until:
                raise TrackerDown(f"MLflow is busy with another run for over {patience:g} s")
            time.sleep(0.02)
        yield


def _taken(handle):
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
