"""Of what a search is: digests that are equal when a journal's scores hold for today's search as well."""

import hashlib
import importlib
import json
import sys
from functools import cache, partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
CODE = ("search", "models", "kernels", "features")  # folders of ml_core that decide a score


def parts(problem, space, settings, data: list[Path]) -> dict[str, str]:
    """{what: digest} of everything that decides a score or the order of candidates, but for the budget."""
    scoring = [described(problem.scorer), described(problem.more)]
    things = problem.features, problem.estimator, problem.scorer, settings.strategy
    return {
        "space": digest(repr(space)),
        "data": _content(data),
        "folds": _folds(problem.folds),
        "features": digest(described(problem.features)),
        "model": digest(described(problem.estimator)),
        "scoring": digest(scoring),
        "strategy": digest(repr(settings.strategy)),
        "trial_timeout": digest(settings.trial_timeout),
        "code": digest([_own(), {name: _version(name) for name in sorted(_modules(things))}]),
    }


def described(thing):
    """A thing in words json can hold: estimators by class and parameters, functions by name."""
    if isinstance(thing, dict):
        return {str(name): described(value) for name, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [described(value) for value in thing]
    if isinstance(thing, np.ndarray) and thing.dtype != object:  # its repr leaves most of it out
        return [str(thing.dtype), list(thing.shape), hashlib.sha256(thing.tobytes()).hexdigest()]
    if isinstance(thing, partial):
        return [described(thing.func), described(thing.args), described(thing.keywords)]
    if hasattr(thing, "get_params") and not isinstance(thing, type):
        return [_name(type(thing)), described(thing.get_params(deep=False))]
    if callable(thing) and hasattr(thing, "__qualname__"):
        return _name(thing)
    return repr(thing)


def digest(known) -> str:
    """16 hex digits that name a JSON-like value."""
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def _name(thing):
    return f"{thing.__module__}.{thing.__qualname__}"


def _content(paths):
    found = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()[:16]


def _folds(folds):
    found = hashlib.sha256()
    for pair in folds:
        for rows in pair:
            if rows is None:  # out of bag
                found.update(b"oob")
                continue
            rows = np.ascontiguousarray(rows, np.int64)
            found.update(np.int64(len(rows)).tobytes() + rows.tobytes())
    return found.hexdigest()[:16]


@cache
def _own():
    """Our own code as it lies here: a kernel mended since then may give another last digit."""
    paths = [path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py"))]
    return _content(paths)


def _modules(things):
    """Modules outside ml_core in which the parts of these things were defined, and their number crunchers."""
    found, waiting = {"numpy", "scipy", "sklearn"}, list(things)
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, dict):
            waiting += thing.values()
            continue
        if hasattr(thing, "get_params") and not isinstance(thing, type):
            waiting += thing.get_params(deep=False).values()
        module = getattr(thing if hasattr(thing, "__qualname__") else type(thing), "__module__", "builtins")
        if module.split(".")[0] not in ("builtins", "ml_core", *found):
            found.add(module)
    return found


def _version(name):
    """The version of the package, or the content of the file, where a module is from."""
    package = sys.modules.get(name.split(".")[0]) or importlib.import_module(name.split(".")[0])
    version = getattr(package, "__version__", None)
    file = getattr(sys.modules.get(name), "__file__", None)
    if version is not None or file is None:
        return str(version)
    return _content([Path(file)])
