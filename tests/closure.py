"""What a step's result can depend on inside ml_core, derived from the code itself."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
# what is reached through `_target_` only: no import names it, so the recipe depends on the folder
BY_TARGET = {
    "data": ["ml_core/data"],
    "prepare": ["ml_core/data"],
    "split": ["ml_core/data"],
    "features": ["ml_core/features"],
    "model": ["ml_core/models", "ml_core/kernels"],
    "search": ["ml_core/search"],
    "tracking": ["ml_core/tracking"],
}


def module_file(name: str) -> Path | None:
    """The file of an ml_core module, None for what is no module."""
    path = ROOT / Path(*name.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.exists():
            return candidate
    return None


def imported(path: Path) -> set[Path]:
    """Files of ml_core that ``path`` imports anywhere in it, the packages around them included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value.startswith("ml_core.")
        ):
            names.add(node.value)  # a module named in a string, as MLflow's loader_module is
    return {file for name in names if name.startswith("ml_core.") and (file := module_file(name))}


def closure(start: Path) -> set[Path]:
    """``start`` and every file of ml_core that its imports lead to."""
    found, waiting = set(), [start]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += imported(path)
    return found


def files_under(name: str) -> set[Path]:
    """A dependency as DVC sees it: the file, or every file of the folder."""
    path = ROOT / name
    return {path} if path.is_file() else set(path.rglob("*.py"))


def needed(step: str, sections: list[str]) -> set[Path]:
    """Every file that the recipe must list for a step: its closure, and that of what its params name."""
    found = closure(ROOT / f"ml_core/steps/{step}.py")
    if step in ("evaluate", "explain"):  # a fitted model is an object of these
        sections = [*sections, "features", "model"]
    for section in sections:
        for folder in BY_TARGET.get(section, []):
            for file in files_under(folder):
                found |= closure(file)
    # a package's docstring decides nothing
    return {path for path in found if path.name != "__init__.py"}


def listing(step: str, sections: list[str]) -> list[str]:
    """What dvc.yaml lists of ml_core: a whole folder where all of it is needed, else files."""
    wanted = needed(step, sections)
    by_target = {folder for section in sections for folder in BY_TARGET.get(section, [])}
    if step in ("evaluate", "explain"):
        by_target |= {folder for section in ("features", "model") for folder in BY_TARGET[section]}
    folders = {str(path.parent.relative_to(ROOT)) for path in wanted} - {"ml_core"}
    whole = {folder for folder in folders if files_under(folder) - wanted <= {ROOT / folder / "__init__.py"}}
    whole = whole | by_target
    singles = {
        str(path.relative_to(ROOT)) for path in wanted if str(path.parent.relative_to(ROOT)) not in whole
    }
    return sorted(whole | singles)


if __name__ == "__main__":
    import yaml

    for name, body in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items():
        print(f"{name}:", *listing(name, body.get("params", [])), sep="\n      - ")  # noqa: T201
