"""Nothing touched is told by stat alone; anything touched is not."""

import os

import pytest

from ml_core import settled

RECIPE = {"stages": {"a": {"cmd": "a", "deps": ["in", "code"], "outs": ["out/a"]}}}


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (
        "in",
        "code/x.py",
        "code/__pycache__/x.pyc",
        "out/a/1",
        "dvc.yaml",
        "params.yaml",
        "dvc.lock",
        ".mlcore/x",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    settled.remember(RECIPE, {}, ["a"])
    return tmp_path


def test_untouched_is_settled_and_compiled_code_does_not_count(project):
    (project / "code/__pycache__/x.pyc").write_text("other")
    (project / "elsewhere").write_text("new")
    assert settled.is_settled(RECIPE, {}) == ["a"]


@pytest.mark.parametrize("name", ["in", "code/x.py", "out/a/1", "dvc.yaml", "params.yaml", "dvc.lock"])
def test_any_touched_file_asks_dvc(project, name):
    found = (project / name).stat()
    (project / name).write_text("TEXT")  # same size
    os.utime(project / name, ns=(found.st_atime_ns, found.st_mtime_ns + 1))
    assert settled.is_settled(RECIPE, {}) is None


def test_a_new_a_lost_and_a_replaced_file_ask_dvc(project):
    (project / "code/y.py").write_text("")
    assert settled.is_settled(RECIPE, {}) is None
    (project / "code/y.py").unlink()
    assert settled.is_settled(RECIPE, {}) == ["a"]
    found = (project / "in").stat()
    (project / "other").write_text("text")
    os.utime(project / "other", ns=(found.st_atime_ns, found.st_mtime_ns))
    (project / "other").rename(project / "in")
    assert settled.is_settled(RECIPE, {}) is None
    (project / "out/a/1").unlink()
    assert settled.is_settled(RECIPE, {}) is None


def test_what_never_settles_and_what_is_broken_ask_dvc(project):
    live = {"stages": {"a": RECIPE["stages"]["a"] | {"always_changed": True}}}
    settled.remember(live, {}, ["a"])
    assert settled.is_settled(live, {}) is None
    settled.remember(RECIPE, {}, ["a"])
    settled.MEMORY.write_text("{")
    assert settled.is_settled(RECIPE, {}) is None
