"""Configuration -> objects: a node with `_target_` becomes what it names, if its package is allowed.

Hydra's own instantiate would call any name at all (`os.getcwd` simply ran) and costs each step process its
import; this calls allowed packages only, and checks the values against what the target takes before it calls.
"""

import difflib
import importlib
import inspect
import types
import typing
from pathlib import Path

from ml_core import plan

SCALARS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
}


def allowed_packages(root: Path = Path()) -> tuple[str, ...]:
    """The packages that conf/allowed.yaml lists."""
    return tuple(plan.load(root / "conf" / "allowed.yaml")["packages"])


def build(node: object, allowed: tuple[str, ...], where: str = "params.yaml") -> object:
    """``node`` with every mapping that has `_target_` replaced, inside out, by the object it describes."""
    if isinstance(node, list):
        return [build(item, allowed, f"{where}[{i}]") for i, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    built = {
        name: build(value, allowed, f"{where}.{name}") for name, value in node.items() if name != "_target_"
    }
    if "_target_" not in node:
        return built
    target = locate(node["_target_"], allowed, where)
    check_arguments(target, built, where)
    return target(**built)


def locate(name: object, allowed: tuple[str, ...], where: str = "params.yaml"):
    """The class or function called ``name``; ValueError unless it was defined in an allowed package."""
    packages = ", ".join(allowed)
    refusal = f"{where}._target_: {name!r} is not in an allowed package ({packages}); see conf/allowed.yaml"
    if not isinstance(name, str) or "." not in name or name.split(".")[0] not in allowed:
        raise ValueError(refusal)
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] not in allowed:
            raise ValueError(
                f"{where}._target_: {name} needs the package {error.name}, which is not installed"
            ) from None
        raise ValueError(f"{where}._target_: there is no module {error.name}; {_extra(name)}") from None
    except AttributeError:
        near = difflib.get_close_matches(attribute, dir(importlib.import_module(module)), 1)
        hint = f"; did you mean {module}.{near[0]}" if near else ""
        raise ValueError(f"{where}._target_: there is no {attribute} in {module}{hint}") from None
    # `sklearn.something.os.system` starts right and ends elsewhere: what counts is where it was defined
    if not callable(found) or (getattr(found, "__module__", None) or "").split(".")[0] not in allowed:
        raise ValueError(refusal)
    return found


def _extra(name):
    package = name.split(".")[0]
    try:
        importlib.import_module(package)
    except ModuleNotFoundError:
        return f"install it: pip install {package}"
    return f"is {name} spelled right"


def check_arguments(target, given: dict, where: str) -> None:
    """ValueError unless ``given`` names parameters of ``target`` and has the types that it declares."""
    parameters = inspect.signature(target).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for name in given:
        if name not in parameters:
            known = ", ".join(parameters) or "none"
            near = difflib.get_close_matches(name, parameters, 1)
            hint = f"; did you mean {near[0]}" if near else f"; it takes {known}"
            raise ValueError(f"{where}.{name}: {target.__qualname__} takes no {name!r}{hint}")
    missing = [
        name
        for name, p in parameters.items()
        if p.default is p.empty and name not in given and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if missing:
        raise ValueError(
            f"{where}: {target.__qualname__} needs {', '.join(missing)}; set {where}.{missing[0]}=..."
        )
    hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    for name, value in given.items():
        check_type(value, hints.get(name), f"{where}.{name}")


def check_type(value: object, hint: object, where: str) -> None:
    """ValueError unless ``value`` has one of the plain types in ``hint``; other hints are not judged."""
    choices = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    plain = [typing.get_origin(choice) or choice for choice in choices]
    if not all(choice in SCALARS or choice is types.NoneType for choice in plain):
        return
    if value is None and types.NoneType in plain:
        return
    for choice in plain:
        whole_as_float = choice is float and isinstance(value, int)
        if (isinstance(value, choice) or whole_as_float) and (choice is bool or not isinstance(value, bool)):
            return
    words = " or ".join(SCALARS.get(choice, "null") for choice in plain)
    raise ValueError(f"{where}: got {value!r} ({type(value).__name__}), allowed is {words}")
