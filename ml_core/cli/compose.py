"""conf/ + overrides -> conf/today.yaml + params.yaml.

today.yaml keeps the overrides in Hydra's own words, so that everybody who composes conf/ starts from the same
choices: this command, its `--check`, and DVC, which composes by itself before each experiment.
"""

import difflib
import hashlib
import json
import os
import shlex
from pathlib import Path

TODAY = Path("conf/today.yaml")
PARAMS = Path("params.yaml")
STAMP = Path(".mlcore/composed.json")
HEAD = "# Written by `mlcore compose`: what differs from config.yaml. DVC's experiments start here.\n"


def compose(overrides: list[str], base: str = "config", root: Path = Path()) -> str:
    """The text of params.yaml; ValueError in one or two lines for whatever does not compose."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str((root / "conf").resolve()), version_base=None):
            config = hydra.compose(base, overrides=overrides)
        missing = sorted(OmegaConf.missing_keys(config))
        if missing:
            raise ValueError(f"{missing[0]} has no value yet; add {missing[0]}=...")
        OmegaConf.resolve(config)
        return OmegaConf.to_yaml(config)
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(reason(error, root / "conf")) from None


_WAYS = {"list": "give {}=[VALUE,...]", "mapping": "set its keys, {}.KEY=VALUE"}


def reason(error: Exception, config_dir: Path) -> str:
    """Hydra's message in at most two lines, with the nearest name where something is misspelled."""
    from hydra.errors import MissingConfigException

    name = getattr(error, "missing_cfg_file", None)
    if isinstance(error, MissingConfigException) and name:
        group, _, option = str(name).rpartition("/")
        known = sorted(path.stem for path in (config_dir / group).glob("*.yaml"))
        near = difflib.get_close_matches(option, known, 1)
        hint = f"did you mean {group}={near[0]}? " if near else ""
        return f"conf/{group}: no option {option!r}; {hint}there is {', '.join(known) or 'nothing'}"
    first = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = getattr(error, "__cause__", None)
    if "ListConfig" in str(cause) and "DictConfig" in str(cause):
        kind, other = ("list", "mapping") if cause.object_type is list else ("mapping", "list")
        told = first[0].removeprefix("Error merging override ")
        return (
            f"{told}: {cause.full_key} is a {kind} in conf/, and no {other} can replace it here; "
            f"{_WAYS[kind].format(cause.full_key)}, or change its file in conf/"
        )
    if cause is not None and str(cause):
        first.append(str(cause).splitlines()[0].strip())
    return "conf/: " + " ".join(dict.fromkeys(first))[:400]


def today(overrides: list[str], root: Path = Path()) -> str:
    """The text of conf/today.yaml that stands for ``overrides``."""
    import yaml
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        parsed = OverridesParser.create().parse_overrides(overrides)
    except HydraException as error:
        raise ValueError(reason(error, root / "conf")) from None
    defaults, values = ["config"], {}
    for override in parsed:
        if override.is_sweep_override():
            raise ValueError(
                f"{override.input_line}: one value at a time; several: `mlcore train -m` or `dvc exp run`"
            )
        if override.is_delete():
            raise ValueError(
                f"{override.input_line}: a deletion cannot be kept in {TODAY}; set the key to null"
            )
        if (root / "conf" / override.key_or_group).is_dir():
            defaults.append({f"override /{override.key_or_group}": override.value()})
            continue
        *parents, leaf = override.key_or_group.split(".")
        node = values
        for part in parents:
            node = node.setdefault(part, {})
        node[leaf] = _plain(override.value())
    body = {"defaults": [*defaults, "_self_"], **values}
    return HEAD + yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=1000)


def _check_emptied(overrides, text):
    """ValueError for a mapping that was to become empty; Hydra merges, and leaves it as it is."""
    import yaml

    for key in [word[:-3].lstrip("+") for word in overrides if word.endswith("={}")]:
        node = yaml.safe_load(text)
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        if node:
            raise ValueError(
                f"{key}={{}} would change nothing, since mappings are merged; {key}=null is an empty one"
            )


def _plain(value):
    """Hydra's quoted strings as plain ones, also inside lists and mappings."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return getattr(value, "text", value)


def write(overrides: list[str], root: Path = Path()) -> bool:
    """Compose and write both files, each only when it changed; True when params.yaml did."""
    kept, text = root / TODAY, today(overrides, root)
    wanted = compose(overrides, root=root)
    _check_emptied(overrides, wanted)
    before = kept.read_text(encoding="utf-8") if kept.exists() else None
    _replace(kept, text)
    try:
        composed = compose([], "today", root)
    except ValueError:
        composed = None
    if composed != wanted:
        if before is not None:
            _replace(kept, before)
        raise ValueError(
            f"{' '.join(overrides)}: cannot be kept in {TODAY}; put it into a file of conf/experiment instead"
        )
    changed = _replace(root / PARAMS, wanted)
    _stamp(root)
    return changed


def _replace(path, text):
    if path.exists() and path.read_bytes() == text.encode():
        return False
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
    return True


def check(root: Path = Path()) -> str:
    """Empty when params.yaml is what conf/ gives, else a diff. No Hydra when nothing changed since."""
    if not (root / PARAMS).exists():
        raise FileNotFoundError("no params.yaml here; run `mlcore compose`, in the project's folder")
    stamp = root / STAMP
    if stamp.exists() and stamp.read_text() == _digest(root):
        return ""
    wanted = compose([], "today", root).splitlines(keepends=True)
    found = (root / PARAMS).read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    diff = "".join(difflib.unified_diff(found, wanted, "params.yaml", "conf/ as composed"))
    if not diff:
        _stamp(root)
    return diff


def _stamp(root):
    (root / STAMP).parent.mkdir(exist_ok=True)
    _replace(root / STAMP, _digest(root))


def _digest(root):
    """One name for the text of params.yaml and of everything in conf/."""
    digest = hashlib.sha256()
    for path in [root / PARAMS, *sorted((root / "conf").rglob("*.yaml"))]:
        digest.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return json.dumps({"composed": digest.hexdigest()})


def advice(root: Path = Path()) -> str:
    """The command that keeps what params.yaml holds now, as far as whole options explain it."""
    import yaml

    from ml_core import plan

    try:
        found, current = plan.load(root / PARAMS), yaml.safe_load(compose([], "today", root))
    except ValueError:
        return "mlcore compose"
    words = kept(root)
    for group in sorted(
        path.name for path in (root / "conf").iterdir() if path.is_dir() and path.name in current
    ):
        if found.get(group) != current[group]:
            match = next(
                (option for option in _options(root, group) if _gives(root, group, option, found)), None
            )
            if match:
                words = [word for word in words if not word.startswith((f"{group}=", f"{group}."))] + [
                    f"{group}={match}"
                ]
    return " ".join(["mlcore compose", *map(shlex.quote, words)])


def kept(root: Path = Path()) -> list[str]:
    """Today's overrides, read back from conf/today.yaml."""
    from ml_core import plan

    body = plan.load(root / TODAY)
    chosen = [item for item in body.pop("defaults", []) if isinstance(item, dict)]
    words = [f"{name.removeprefix('override /')}={value}" for item in chosen for name, value in item.items()]
    known = dict(_leaves(_unresolved(words, root)))
    for name, value in _leaves(body):
        sign = "" if any(other == name or other.startswith(f"{name}.") for other in known) else "+"
        words.append(f"{sign}{name}={json.dumps(value, ensure_ascii=False)}")
    return words


def onto_today(overrides: list[str], root: Path = Path()) -> list[str]:
    """Today's overrides and then these; of two for the same choice the later one holds."""
    new = {word.partition("=")[0].lstrip("+") for word in overrides}
    words = [
        word
        for word in kept(root)
        if not any(f"{word.partition('=')[0].lstrip('+')}.".startswith(f"{name}.") for name in new)
    ]
    return [*words, *overrides]


def _unresolved(overrides, root):
    """The composition before mandatory values and interpolations are asked for: only which keys there are."""
    import hydra
    from omegaconf import OmegaConf

    with hydra.initialize_config_dir(str((root / "conf").resolve()), version_base=None):
        return OmegaConf.to_container(hydra.compose("config", overrides=overrides), resolve=False)


def _leaves(node, prefix=""):
    for name, value in node.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _options(root, group):
    return sorted(path.stem for path in (root / "conf" / group).glob("*.yaml"))


def _gives(root, group, option, found):
    import yaml

    try:
        return yaml.safe_load(compose([f"{group}={option}"], "today", root)).get(group) == found.get(group)
    except ValueError:
        return False
