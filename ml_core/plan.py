"""The recipe as plain data: dvc.yaml + params.yaml -> [Stage], each after what it depends on.

Reads what DVC reads (``${}`` interpolation, foreach, matrix) without importing it: whoever only needs the
graph, such as a scheduler that parses every few seconds, waits milliseconds and not DVC's second.
"""

import itertools
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # a PyYAML built without libyaml
    from yaml import SafeLoader as Loader

PLACE = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True)
class Stage:
    """One stage of the recipe; ``after`` names the stages whose outputs it reads."""

    name: str
    cmd: str
    params: tuple[str, ...] = ()
    deps: tuple[str, ...] = ()
    outs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def load(path: Path) -> dict:
    """A yaml file as a dict; ValueError with file and line where it is none."""
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path.name} is no valid yaml: {reason}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path.name}: expected sections, got {type(found).__name__}")
    return found


def read(folder: Path = Path(), recipe: dict | None = None, params: dict | None = None) -> list[Stage]:
    """The stages of the recipe in ``folder``, each after those it depends on.

    ValueError names the stages of a cycle, an output made twice, and a ``${name}`` that params.yaml lacks.
    """
    recipe = load(folder / "dvc.yaml") if recipe is None else recipe
    params = load(folder / "params.yaml") if params is None else params
    stages = [
        _stage(name, body)
        for name, raw in (recipe.get("stages") or {}).items()
        for name, body in _expand(name, raw, params)
    ]
    makers: dict[str, str] = {}
    for stage in stages:
        for out in stage.outs:
            if out in makers:
                raise ValueError(f"dvc.yaml: {out} is made by both {makers[out]} and {stage.name}; keep one")
            makers[out] = stage.name
    linked = [
        Stage(s.name, s.cmd, s.params, s.deps, s.outs, tuple(dict.fromkeys(_makers(s.deps, makers, s.name))))
        for s in stages
    ]
    return _ordered(linked)


def _expand(name, raw, params):
    """One raw stage -> (name, body) for itself, or for each item of foreach or matrix."""
    if "foreach" in raw:
        items = _fill(raw["foreach"], params)
        pairs = items.items() if isinstance(items, dict) else ((item, item) for item in items)
        for key, item in pairs:
            yield f"{name}@{key}", _fill(raw["do"], {**params, "item": item, "key": key})
    elif "matrix" in raw:
        axes = _fill(raw["matrix"], params)
        body = {part: value for part, value in raw.items() if part != "matrix"}
        for values in itertools.product(*axes.values()):
            item = dict(zip(axes, values, strict=True))
            label = "-".join(
                f"{axis}{axes[axis].index(value)}" if isinstance(value, dict | list) else str(value)
                for axis, value in item.items()
            )
            yield f"{name}@{label}", _fill(body, {**params, "item": item, "key": label})
    else:
        yield name, _fill(raw, params)


def _fill(node, params):
    """Replace every ${a.b} in ``node`` by its value."""
    if isinstance(node, dict):
        return {_fill(key, params): _fill(value, params) for key, value in node.items()}
    if isinstance(node, list):
        return [_fill(value, params) for value in node]
    if not isinstance(node, str):
        return node
    whole = PLACE.fullmatch(node)
    if whole:
        return _value(whole[1], params)
    return PLACE.sub(lambda place: str(_value(place[1], params)), node)


def _value(name, params):
    node = params
    for part in re.split(r"[.\[]", name.strip().replace("]", "")):
        try:
            node = node[int(part)] if isinstance(node, list) else node[part]
        except (KeyError, IndexError, TypeError, ValueError):
            raise ValueError(f"dvc.yaml: ${{{name}}} is not in params.yaml; run `mlcore compose`") from None
    return node


def _stage(name, body):
    wdir = body.get("wdir", ".")

    def paths(part):
        found = [next(iter(item)) if isinstance(item, dict) else item for item in body.get(part) or []]
        return tuple(str(PurePosixPath(os.path.normpath(os.path.join(wdir, str(path))))) for path in found)

    sections = tuple(item for item in body.get("params") or [] if isinstance(item, str))
    outs = paths("outs") + paths("metrics") + paths("plots")
    return Stage(name, str(body.get("cmd", "")), sections, paths("deps"), outs)


def _makers(deps, makers, own):
    """Who makes what ``deps`` reads: the same path, a folder around it, or something inside it."""
    for dep in deps:
        for out, maker in makers.items():
            if maker != own and (dep == out or dep.startswith(out + "/") or out.startswith(dep + "/")):
                yield maker


def _ordered(stages):
    """Depth first, as written; a cycle is drawn in the message."""
    by_name = {stage.name: stage for stage in stages}
    done, path = {}, []

    def visit(name):
        if name in path:
            cycle = " -> ".join([*path[path.index(name) :], name])
            raise ValueError(f"dvc.yaml has a cycle: {cycle}; remove one of these dependencies")
        if name not in done:
            path.append(name)
            for before in by_name[name].after:
                visit(before)
            done[path.pop()] = by_name[name]

    for name in by_name:
        visit(name)
    return list(done.values())
