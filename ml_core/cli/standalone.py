"""`mlcore airflow`: Airflow for this checkout on 127.0.0.1, in processes that end with this one.

`airflow standalone` would open its log servers to the whole network; here each part is started by itself,
without them.
"""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from ml_core.cli.commands import print_error, print_line

HOST = "127.0.0.1"
PARTS = {
    "api-server": ["--host", HOST, "--workers", "1"],
    "scheduler": ["--skip-serve-logs"],
    "dag-processor": [],
    "triggerer": ["--skip-serve-logs"],
}
PATIENCE = 300  # seconds until all parts must be healthy


def home() -> Path:
    """AIRFLOW_HOME, else a folder of the checkout that is not committed."""
    return Path(os.environ.get("AIRFLOW_HOME") or Path.cwd() / ".mlcore/airflow").absolute()


def environment(port: int) -> dict[str, str]:
    """What Airflow is told; what the user set in the environment holds."""
    ours = {
        "AIRFLOW_HOME": str(home()),
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path.cwd() / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": str(2 * (os.cpu_count() or 1)),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{port}/execution/",
        "AIRFLOW__API__BASE_URL": f"http://{HOST}:{port}",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "SCARF_ANALYTICS": "false",
    }
    return ours | dict(os.environ) | {"AIRFLOW__API__HOST": HOST}


def run(port: int) -> int:
    """Migrate, start, tell address and login, wait; exit code of the part that ended first."""
    if importlib.util.find_spec("airflow") is None:
        raise ModuleNotFoundError("Airflow is not installed here; `make airflow` installs it and starts it")
    known = environment(port)
    folder = home() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "airflow"]
    done = subprocess.run([*words, "db", "migrate"], env=known, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"airflow db migrate: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    parts = {}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        for name, options in PARTS.items():
            with open(folder / f"{name}.log", "ab") as log:
                parts[name] = subprocess.Popen(
                    [*words, name, *options, *(["--port", str(port)] if name == "api-server" else [])],
                    env=known, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip
        if _healthy(port, parts):
            print_line(
                f"Airflow  http://{HOST}:{port}\nlogin    {login()}\nlogs     {folder}\nstop     Ctrl-C"
            )
        else:
            print_error(f"not healthy within {PATIENCE} s; it goes on, its logs lie in {folder}")
        while all(part.poll() is None for part in parts.values()):
            time.sleep(0.5)
    finally:
        stop(parts.values())
    ended = next(name for name, part in parts.items() if part.returncode not in (None, -signal.SIGTERM))
    print_error(f"airflow {ended} ended; its log is {folder / ended}.log")
    return 1


def stop(parts) -> None:
    """End every part with all it started, at first in kindness."""
    for number, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        for part in parts:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(part.pid, number)
        until = time.time() + seconds
        for part in parts:
            with contextlib.suppress(subprocess.TimeoutExpired):
                part.wait(max(0.1, until - time.time()))


def _healthy(port, parts):
    """Whether all parts answer before patience or a part ends."""
    until = time.time() + PATIENCE
    while time.time() < until and all(part.poll() is None for part in parts.values()):
        with contextlib.suppress(OSError, ValueError):
            with urllib.request.urlopen(f"http://{HOST}:{port}/api/v2/monitor/health", timeout=5) as answer:
                told = json.load(answer)
            if all(told[part]["status"] == "healthy" for part in ("scheduler", "dag_processor", "triggerer")):
                return True
        time.sleep(0.5)
    return False


def login() -> str:
    """Name and password that Airflow made for this home."""
    path = home() / "simple_auth_manager_passwords.json.generated"
    known = json.loads(path.read_text()) if path.exists() else {}
    return ", ".join(f"{name} / {word}" for name, word in known.items()) or "see Airflow's configuration"


class Api:
    """Airflow's REST API, as far as it is asked here. OSError when it does not answer in ``patience`` s."""

    def __init__(self, address: str, patience: float = 10):
        self.address, self.patience, self._token = address.rstrip("/"), patience, ""

    def get(self, path: str, body: dict | None = None) -> dict:
        """The answer to GET /api/v2/``path``, or to POST with a body."""
        return self._ask(f"/api/v2/{path}", body, {"Authorization": f"Bearer {self.token()}"})

    def token(self) -> str:
        """A token for whom AIRFLOW_USER and AIRFLOW_PASSWORD name, else for the home's first user."""
        if not self._token:
            path = home() / "simple_auth_manager_passwords.json.generated"
            known = json.loads(path.read_text()) if path.exists() else {}
            user = os.environ.get("AIRFLOW_USER") or next(iter(known), "admin")
            word = os.environ.get("AIRFLOW_PASSWORD") or known.get(user, "")
            told = self._ask("/auth/token", {"username": user, "password": word}, {})
            self._token = told["access_token"]
        return self._token

    def _ask(self, path, body, headers):
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(
            self.address + path, data, {"Content-Type": "application/json", **headers}
        )
        try:
            with urllib.request.urlopen(asked, timeout=self.patience) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise OSError(f"{path}: {error.code} {error.read()[:200].decode(errors='replace')}") from None
