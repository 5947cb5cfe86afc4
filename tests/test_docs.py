"""What the documents tell a reader to type, typed: every sh block and every python block runs."""

import os
import re
import subprocess
import time
import urllib.request

import pytest
from closure import ROOT
from project import Project, copy_project

DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
SHARED = ROOT.parent / "shared"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.S | re.M)
# a command that is not typed here, and why
EXCUSES = {
    "git clone": "the project is a clone already",
    ". .venv/bin/activate": "the tests run in that environment",
    "make test": "is what runs this",
    "make test-slow": "is what runs this",
    "make test-bounds": "compiles every kernel anew; .ci/run runs it",
    "python -m pytest": "is what runs this",
    "make bench": "takes minutes; tests/test_bench.py runs a case",
    "make bench-full": "takes hours",
    "make test-airflow": "installs Airflow; .ci/run runs it",
    "make airflow": "installs Airflow and serves until Ctrl-C; tests/dags/test_live.py starts it",
    "make clean": "would remove the environment under the tests",
    "make lock": "resolves newer versions and needs uv",
}
SERVERS = {"mlflow ui": "http://127.0.0.1:5000", "make ui": "http://127.0.0.1:5000"}


def commands(document):
    """The lines of a document's sh blocks, without remarks; blocks on tables that are not here left out."""
    blocks = [
        text for language, text in BLOCK.findall(document.read_text(encoding="utf-8")) if language == "sh"
    ]
    here = [text for text in blocks if "../shared/" not in text or SHARED.is_dir()]
    lines = (re.sub(r"(^|\s+)#.*$", "", line).strip() for text in here for line in text.splitlines())
    return [line for line in lines if line]


def excuse(line):
    return next(
        (why for words, why in EXCUSES.items() if line == words or line.startswith(words + " ")), None
    )


@pytest.mark.slow
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_a_document_runs(document, tmp_path):
    lines = commands(document)
    if not lines:
        pytest.skip("holds no command")
    project = Project(copy_project(tmp_path / "project"))
    if SHARED.is_dir():
        (tmp_path / "shared").symlink_to(SHARED)
    project.environment["MAKEFLAGS"] = f"-e VENV={os.environ.get('VIRTUAL_ENV', ROOT / '.venv')}"
    for line in lines:
        if excuse(line):
            continue
        if line in SERVERS:
            served(project, line, SERVERS[line])
        else:
            project.call("sh", "-c", line)


def served(project, line, address):
    """A server answers, and is ended by pid."""
    process = subprocess.Popen(
        ["sh", "-c", f"exec {line}"], cwd=project.folder, env=project.environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(400):
            try:
                assert urllib.request.urlopen(address, timeout=2).status == 200
                return
            except OSError:
                time.sleep(0.5)
        pytest.fail(f"{line} does not answer at {address}")
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=120)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_python_block_runs(document):
    for language, text in BLOCK.findall(document.read_text(encoding="utf-8")):
        if language == "python":
            exec(compile(text, str(document), "exec"), {"__name__": "example"})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    for place in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
        assert (document.parent / place).exists(), f"{document.name} links to {place}"


def test_every_command_is_documented():
    """Each of mlcore's commands stands in the README or in docs/."""
    said = subprocess.run(["mlcore", "--help"], capture_output=True, text=True, check=True).stdout
    known = re.findall(r"^  (\w+) ", said.split("Commands:")[1], re.M)
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    assert len(known) > 10
    missing = [name for name in known if f"mlcore {name}" not in text]
    assert not missing, f"not documented: {missing}"


def test_every_model_is_documented():
    """Each of conf/model stands in the table of docs/models.md, and nothing else does."""
    table = re.findall(r"^\| `(\w+)`", (ROOT / "docs/models.md").read_text(encoding="utf-8"), re.M)
    assert sorted(table) == sorted(path.stem for path in (ROOT / "conf/model").glob("*.yaml"))


def test_every_make_target_is_documented():
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.M)
    text = (ROOT / "README.md").read_text()
    assert [
        name for name in targets if f"make {name}" not in text and name not in ("help", "env", "env-dev")
    ] == []
