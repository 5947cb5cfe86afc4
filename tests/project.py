"""A project of one's own for whole-pipeline tests, and commands run in it as users do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def copy_project(folder: Path) -> Path:
    """The working tree as it stands (tracked and new files, nothing ignored) as a repository of its own."""
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "start"]):
        subprocess.run(["git", *NAMED, *words], cwd=folder, check=True, capture_output=True)
    return folder


def environment(folder: Path) -> str:
    """VENV=... for make: this environment, under a name by which it is as new as its locks."""
    (folder / "venv").mkdir()
    (folder / "venv/bin").symlink_to(Path(sys.executable).parent)
    for name in (".main", ".dev"):
        (folder / "venv" / name).touch()
    return f"VENV={folder}/venv"


NAMED = ["-c", "user.name=test", "-c", "user.email=test@example.com"]


class Project:
    """A checkout to work in: ``mlcore("run")``, ``dvc("repro")``, each with the code that lies in it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DVC_", "MLFLOW_", "MAKE", "MFLAGS"))  # the tests may run under make
        }
        self.environment |= {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DVC_NO_ANALYTICS": "1",
            "MLCORE_KERNELS": str(ROOT / "ml_core/kernels/__pycache__"),  # equal sources compile once for all
        }
        self.environment |= {
            "GIT_AUTHOR_NAME": "test",
            "GIT_AUTHOR_EMAIL": "t@example.com",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        self.environment |= {
            "GIT_COMMITTER_NAME": "test",
            "GIT_COMMITTER_EMAIL": "t@example.com",
            "COLUMNS": "200",
        }

    def call(self, *words: str, code: int | None = 0, **environment: str) -> subprocess.CompletedProcess:
        """Run a command; fail with all it said unless it ends with ``code`` (None: any)."""
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=540,
        )
        if code is not None and done.returncode != code:
            pytest.fail(
                f"{' '.join(words)} ended with {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}"
            )
        return done

    def mlcore(self, *words: str, code: int | None = 0, **environment: str) -> subprocess.CompletedProcess:
        """Run mlcore."""
        return self.call("mlcore", *words, code=code, **environment)

    def dvc(self, *words: str, code: int | None = 0, **environment: str) -> subprocess.CompletedProcess:
        """Run dvc."""
        return self.call("dvc", *words, code=code, **environment)

    def git(self, *words: str) -> str:
        """Run git; what it printed."""
        return self.call("git", *words).stdout

    def read(self, name: str) -> str:
        """Text of a file of the project."""
        return (self.folder / name).read_text(encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        """Replace a file of the project."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, encoding="utf-8")
