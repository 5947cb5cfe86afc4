"""Fixtures that whole-pipeline tests share."""

import shutil
from pathlib import Path

import pytest
from hypothesis import settings
from project import Project, copy_project

# the same examples in every run: red for one is red for all; `--hypothesis-profile=default` draws anew
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")


COMPILED = ("kernels", "models", "search")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Tests of one file that need compiled code run in one process: the other would compile it as well."""
    for item in items:
        if item.path.parent.name in COMPILED and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture
def project(tmp_path) -> Project:
    """A fresh project with no run behind it."""
    return Project(copy_project(tmp_path / "project"))


@pytest.fixture(scope="session")
def finished_folder(tmp_path_factory) -> Path:
    """A project after one `mlcore run`; copy it, do not change it."""
    folder = copy_project(tmp_path_factory.mktemp("finished") / "project")
    Project(folder).mlcore("run")
    return folder


@pytest.fixture
def finished(finished_folder, tmp_path) -> Project:
    """A project of one's own, after one `mlcore run`."""
    shutil.copytree(finished_folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")
