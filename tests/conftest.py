"""Fixtures that whole-pipeline tests share."""

import shutil
from pathlib import Path

import pytest
from hypothesis import settings
from project import Project, copy_project

# the same examples in every run: red for one is red for all; `--hypothesis-profile=default` draws anew
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")


# These tests share kernels: two processes that need one at once compile it twice.
COMPILED = ("tests/kernels/", "tests/models/", "tests/search/", "tests/test_docs.py::test_every_python_block")
# Tests of one of these files run in one process: they share a standing Airflow, or serve on one port.
TOGETHER = (*COMPILED, "tests/dags/", "tests/test_docs.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Share the tests out one by one, files of TOGETHER whole, all COMPILED to one of two processes."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            if nodeid.startswith(COMPILED) and (config.option.numprocesses or 1) <= 2:
                return "compiled"
            return nodeid.split("::")[0] if nodeid.startswith(TOGETHER) else nodeid

    return Scheduling(config, log)


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
