"""Who may import whom, deferred imports included: lower floors and the named neighbours, never upwards."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOOR = {
    "ml_core.outcome": 0, "ml_core.progress": 0, "ml_core.kernels": 0, "ml_core.lifeline": 0,
    "ml_core.interrupts": 0,
    "ml_core.models": 1, "ml_core.features": 1, "ml_core.data": 1,
    "ml_core.search": 2, "ml_core.measure": 2, "ml_core.plots": 2, "ml_core.gates": 2,
    "ml_core.report": 3, "ml_core.steps": 3, "ml_core.tracking": 3, "ml_core.plan": 3, "ml_core.runner": 3,
    "ml_core.settled": 3,
    "ml_core.promotion": 3, "ml_core.schedule": 3, "ml_core.workspace": 3, "ml_core.notify": 3,
    "ml_core.cli": 4, "ml_core.__main__": 4,
}  # fmt: skip
# (from, to): neighbours of one floor that may know each other; everything else on a floor stands alone
NEIGHBOURS = {
    ("ml_core.steps", "ml_core.tracking"), ("ml_core.steps", "ml_core.report"),
    ("ml_core.report", "ml_core.plots"), ("ml_core.plots", "ml_core.measure"),
    ("ml_core.gates", "ml_core.measure"), ("ml_core.report", "ml_core.gates"),
    ("ml_core.runner", "ml_core.plan"), ("ml_core.settled", "ml_core.plan"),
    ("ml_core.schedule", "ml_core.plan"), ("ml_core.workspace", "ml_core.plan"),
    ("ml_core.__main__", "ml_core.cli"),
    ("ml_core.tracking", "ml_core.plan"), ("ml_core.tracking", "ml_core.report"),
    ("ml_core.promotion", "ml_core.tracking"), ("ml_core.promotion", "ml_core.report"),
}  # fmt: skip
# a library -> the only places that may import it
SOLE = {
    "hydra": {"ml_core/cli/compose.py", "ml_core/cli/jobs.py"},
    "omegaconf": {"ml_core/cli/compose.py", "ml_core/cli/jobs.py"},
    "dvc": {"ml_core/runner.py"},
    "mlflow": {"ml_core/tracking/mlflow.py", "ml_core/tracking/registry.py", "ml_core/tracking/served.py"},
    "airflow": set(),
    "sqlalchemy": {"ml_core/data/sql.py"},
    "skops": {"ml_core/models/file.py"},
    "optuna": {"ml_core/search/tpe.py"},
    "pandera": {"ml_core/data/quality.py"},
    "click": {"ml_core/cli/commands.py", "ml_core/cli/scheduled.py", "ml_core/cli/champion.py"},
}
FILES = sorted((ROOT / "ml_core").rglob("*.py"))


def unit(module):
    """ml_core.data.csv -> ml_core.data: what stands on a floor."""
    return ".".join(module.split(".")[:2])


def imports(path):
    """Every module a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "ml_core")


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_lies_below(path):
    own = unit(name_of(path))
    if own == "ml_core":
        return
    assert own in FLOOR, (
        f"{own} stands on no floor: say which in tests/test_layers.py and docs/how-it-works.md"
    )
    for module in imports(path):
        other = unit(module)
        if module.split(".")[0] == "ml_core" and other not in (own, "ml_core"):
            below = FLOOR[other] < FLOOR[own] or (own, other) in NEIGHBOURS
            assert below, (
                f"{path.relative_to(ROOT)} (floor {FLOOR[own]}) imports {module} (floor {FLOOR[other]})"
            )


@pytest.mark.parametrize("library", SOLE)
def test_each_of_these_libraries_has_one_importer(library):
    users = {
        str(path.relative_to(ROOT))
        for path in FILES
        for module in imports(path)
        if module.split(".")[0] == library
    }
    assert users <= SOLE[library], f"{library} is imported by {users - SOLE[library]}"


def test_kernels_know_arrays_only():
    known = {"numpy", "scipy", "numba", "llvmlite", "threadpoolctl", "ml_core"} | set(sys.stdlib_module_names)
    for path in (ROOT / "ml_core/kernels").glob("*.py"):
        assert {module.split(".")[0] for module in imports(path)} <= known, path


def test_no_relative_imports_and_no_drawers():
    for path in FILES:
        assert not any(
            isinstance(n, ast.ImportFrom) and n.level for n in ast.walk(ast.parse(path.read_text()))
        ), path
        assert path.stem not in {"utils", "helpers", "common", "base", "misc"}, path


def test_imports_never_run_in_a_circle():
    """Of the modules as they import at the top; the longest chain is told when it grows too deep."""
    names = {name_of(path): path for path in FILES}
    edges = {name: {m for m in _top_level(path) if m in names and m != name} for name, path in names.items()}
    depth = {}

    def visit(name, trail):
        assert name not in trail, " -> ".join([*trail, name])
        if name not in depth:
            depth[name] = 1 + max((visit(other, [*trail, name]) for other in edges[name]), default=0)
        return depth[name]

    assert max(visit(name, []) for name in names) <= 7


def _top_level(path):
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
