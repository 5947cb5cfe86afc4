"""The limits that keep files readable, and what may not stand in the tree."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for part in ("ml_core", "bench", "dags") for path in (ROOT / part).rglob("*.py"))
TOP = {
    "pyproject.toml", "dags", "ml_core", "conf", "dvc.yaml", "params.yaml", "tests", "README.md",
    "bench", "docs", "Makefile", ".ci", "LICENSE", ".gitignore", ".dvc", ".dvcignore", "dvc.lock",
    ".github", ".gitlab-ci.yml",
}  # fmt: skip


LOCKS = sorted(path.name for path in ROOT.glob("requirements*.lock"))


def listed():
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in names.stdout.splitlines() if (ROOT / name).is_file()]


def functions(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            doc = ast.get_docstring(node, clean=False)
            yield node, node.end_lineno - node.lineno + 1 - (doc.count("\n") + 1 if doc else 0)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_short(path):
    assert path.read_text().count("\n") <= 300
    for node, lines in functions(path):
        jitted = any("jit" in ast.unparse(mark) for mark in node.decorator_list)
        assert lines <= (80 if jitted else 50), f"{node.name}: {lines} lines"


def test_packages_hold_nothing_but_a_docstring():
    for path in (ROOT / "ml_core").rglob("__init__.py"):
        assert [type(node) for node in ast.parse(path.read_text()).body] == [ast.Expr], path


def test_the_top_level_is_the_fixed_one():
    assert {name.split("/")[0] for name in listed()} <= TOP | set(LOCKS)


def test_locks_carry_hashes_and_no_addresses():
    for name in LOCKS:
        text = (ROOT / name).read_text()
        assert "://" not in text and "--index" not in text and "--find-links" not in text
        pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert len(pins) > 100 and all("==" in pin for pin in pins)
        assert text.count("--hash=sha256:") >= len(pins)


def test_the_main_lock_is_a_part_of_the_one_for_tests_and_that_of_the_bench():
    main, dev, bench = (set(_pins(f"requirements{part}.lock")) for part in ("", "-dev", "-bench"))
    assert main <= dev <= bench
    assert not any(pin.split("==")[0] in {"apache-airflow", "ray", "evidently", "torch"} for pin in main)


def _pins(name):
    return [
        line.split(" ;")[0].split(" \\")[0]
        for line in (ROOT / name).read_text().splitlines()
        if line and line[0] not in " #"
    ]
