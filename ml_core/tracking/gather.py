"""What the steps left on disk -> one Run."""

import json
import time
from dataclasses import replace
from pathlib import Path

from ml_core.tracking import lineage, trials
from ml_core.tracking.bundle import store_name
from ml_core.tracking.run import Dataset, Model, Run, digest, flat, masked, without_secrets

ROWS = ("table.parquet", "train.parquet", "test.parquet")  # the data itself: DVC keeps it
MODEL = "model.skops"  # goes with the model, not beside it
TRAINED = "trained_on.parquet"  # ids of the training rows, sorted: no fair rows to judge a later one on
LARGEST = 100_000_000  # bytes of one file; DVC keeps larger ones all the same
EXAMPLE_ROWS = 5
ASIDE = ("tracking", "gate", "promote")  # where a run goes and what judges it make no other run of it


def finished(work: Path, place: Path) -> tuple[Run, dict[str, str]]:
    """The run whose steps wrote to ``work`` (out/), its files' sha256; ``place`` takes files made here."""
    root, params = Path.cwd(), _params(work)
    locked = lineage.lock(root) if work.resolve() == root / "out" else {}
    artifacts, skipped = _artifacts(work)
    contents = {name: lineage.digest_of(path) for name, path in sorted(artifacts.items())}
    model = _model(work, root)
    if model is not None:
        contents[MODEL] = lineage.digest_of(model.path)
    chosen = {name: value for name, value in params.items() if name not in ASIDE}
    known = {"params": chosen, "outs": lineage.outputs(locked), "contents": contents}
    run = _described(Run(digest(known)), work, params, locked, place)
    searched = trials.table(work, place) | trials.pictures(work, place)
    table = _json(work / "prepare" / "table.json") or _json(work / "ingest" / "table.json")
    return replace(
        run,
        params=run.params | flat({"best": _best(work)}),
        metrics=_metrics(work),
        artifacts=run.artifacts | artifacts | searched | _trained_on(work, place),
        dataset=_dataset(work, params, locked, table),
        model=model,
        tags=run.tags
        | ({"files.left.out": " ".join(skipped)} if skipped else {})
        | {"task": table.get("task", "")},
    ), contents


def failed(step: str, message: str, status: str, place: Path) -> Run:
    """The run that ended with ``message`` in ``step``."""
    root, message = Path.cwd(), masked(message)
    params = _params(root / "out")
    chosen = {name: value for name, value in params.items() if name not in ASIDE}
    receipt = digest({"params": chosen, "step": step, "message": message, "status": status})
    run = Run(receipt, status=status, message=f"{step}: {message}")
    run = _described(run, root / "out", params, lineage.lock(root), place)
    kept = root / ".mlcore" / "failed" / step
    report = {f"failed/{path.relative_to(kept)}": path for path in sorted(kept.rglob("*")) if path.is_file()}
    report = {store_name(name): path for name, path in report.items() if path.stat().st_size <= LARGEST}
    return replace(run, artifacts=run.artifacts | report, tags=run.tags | {"failed.step": step})


def _described(run, work, params, locked, place):
    """What both kinds of run hold: params, lineage, journal, and the files that say how to have it again."""
    import yaml

    root, ended = Path.cwd(), int(time.time() * 1000)
    journal = _journal(root)
    estimator, data = _estimator(params), params.get("data") or {}
    tags = lineage.git(root) | lineage.environment(root) | lineage.caller()
    tags |= {"model": estimator, "data": data_name(data), "seed": str(params.get("seed", ""))}
    if locked:
        tags["dvc.lock"] = digest(locked)
        tags["data.md5"] = lineage.data(locked, str(data.get("path", "")))
    experiment = lineage.experiment()
    tags |= {"dvc.experiment": experiment} if experiment else {}
    texts = {"params.yaml": _params_text(work, params)}
    texts["journal.json"] = json.dumps(journal, indent=1, ensure_ascii=False) + "\n"
    if locked:
        texts["dvc.lock"] = yaml.safe_dump(locked, sort_keys=False, allow_unicode=True)
    changes, why_not = lineage.patch(root)
    if changes:
        (place / "code.patch").write_bytes(changes)
    elif why_not:
        tags["code.patch"] = f"not kept: {why_not}"
    for name, text in texts.items():
        (place / name).write_text(text, encoding="utf-8")
    names = [*texts, *(["code.patch"] if changes else [])]
    artifacts = {name: place / name for name in names}
    if (root / "requirements.lock").exists():
        artifacts["requirements.lock"] = root / "requirements.lock"
    seconds = sum(entry.get("seconds", 0) for entry in journal)
    return replace(
        run,
        name=experiment or f"{estimator} {run.receipt[:7]}",
        params=flat({name: value for name, value in params.items() if name not in ("gate", "promote")}),
        tags={name: value for name, value in tags.items() if value},
        artifacts=artifacts,
        journal=journal,
        started=ended - int(1000 * seconds),
        ended=ended,
    )


def _params(work):
    """The params the steps ran with, secrets masked."""
    from ml_core import plan

    path = _params_file(work)
    return without_secrets(plan.load(path)) if path.exists() else {}


def _params_file(work):
    """Hydra's jobs keep their params beside their outputs; DVC has one file for the checkout."""
    beside = work.parent / "params.yaml"
    return beside if beside.exists() else Path("params.yaml")


def _params_text(work, params):
    """params.yaml to the letter where it holds no secret."""
    import yaml

    path = _params_file(work)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    same = yaml.safe_load(text) == params if text else False
    return text if same else yaml.safe_dump(params, sort_keys=False, allow_unicode=True)


def _journal(root):
    """What the door noted a step, in the order they ran; a step that was up to date keeps its last entry."""
    entries = [_json(path) for path in (root / ".mlcore" / "journal").glob("*.json") if path.stem != "log"]
    entries = [entry for entry in entries if "step" in entry]
    return sorted(entries, key=lambda entry: (str(entry.get("started", "")), entry["step"]))


def _metrics(work):
    """step.json of every step -> step/metric."""
    found = {}
    for path in sorted(work.glob("[a-z]*.json")):
        numbers = {name: value for name, value in _json(path).items() if isinstance(value, int | float)}
        found |= {f"{path.stem}/{name}": value for name, value in numbers.items() if path.stem != "log"}
    return found


def _artifacts(work):
    """Name in the store -> file, of every output but rows and model; and names of those too large."""
    found, skipped = {}, []
    for path in sorted(work.rglob("*")):
        parts = path.relative_to(work).parts
        hidden = any(part.startswith(".") for part in parts)
        if hidden or len(parts) < 2 or parts[0] == "log" or not path.is_file() or path.name in (*ROWS, MODEL):
            continue
        name = store_name("report.html" if parts == ("explain", "report.html") else "/".join(parts))
        if path.stat().st_size > LARGEST:
            skipped.append(name)
        else:
            found[name] = path
    return found, skipped


def _trained_on(work, place):
    """The training rows' ids uint64, sorted; too many to send (over ten million) are found through DVC."""
    path = work / "prepare" / "train.parquet"
    if not path.exists():
        return {}
    import polars as pl

    from ml_core.data.table import ROW

    lazy = pl.scan_parquet(path)
    if ROW not in lazy.collect_schema():
        return {}
    ids = lazy.select(pl.col(ROW).sort()).collect()
    if 8 * len(ids) > LARGEST:
        return {}
    ids.write_parquet(place / TRAINED, statistics=False)
    return {TRAINED: place / TRAINED}


def _model(work, root):
    """The fitted model and what a caller hands it, as the training rows have it."""
    path, rows = work / "train" / MODEL, work / "prepare" / "train.parquet"
    table = _json(work / "prepare" / "table.json")
    if not (path.exists() and rows.exists() and table):
        return None
    import polars as pl

    features = list(table["kinds"])
    lazy = pl.scan_parquet(rows)
    types, gaps = (
        lazy.select(features).collect_schema(),
        lazy.select(pl.col(features).null_count()).collect().row(0),
    )
    inputs = {name: _type(types[name], gap) for name, gap in zip(features, gaps, strict=True)}
    example = lazy.select(features).head(EXAMPLE_ROWS).collect().to_dicts()
    return Model(
        path, inputs, json.loads(json.dumps(example, default=str)), _output(table), lineage.requirements(root)
    )


def _type(dtype, gaps):
    """MLflow's type of a column. Whole numbers with gaps are double: that is how pandas holds them."""
    if dtype.is_integer():
        return "double" if gaps else "long"
    if dtype.is_numeric():
        return "double"
    if dtype.is_temporal():
        return "datetime"
    return "boolean" if str(dtype) == "Boolean" else "string"


def _output(table):
    """Type of a prediction."""
    if table.get("task") == "regression":
        return "double"
    if table.get("task") == "clustering":
        return "long"
    types = {type(label) for label in table.get("classes") or []}
    return (
        {bool: "boolean", int: "long", float: "double", str: "string"}[types.pop()] if len(types) == 1 else ""
    )


def _dataset(work, params, locked, table):
    """What was learned from: name, DVC's md5 and the shape of the table."""
    data, numbers = params.get("data") or {}, _json(work / "ingest.json")
    made = work / "ingest" / "table.json"
    md5 = lineage.data(locked, str(data.get("path", ""))) or (
        lineage.digest_of(made)[:32] if made.exists() else ""
    )
    if not md5:
        return None
    return Dataset(
        data_name(data),
        md5,
        _whole(numbers.get("rows")),
        masked(table.get("source", "")),
        table.get("kinds", {}),
    )


def _whole(number):
    """A count out of json, where it may stand as 569.0."""
    return None if number is None else int(number)


def data_name(data):
    """breast_cancer, or the stem of the file: what people call the data."""
    name = (
        data.get("name")
        or Path(str(data.get("path") or "")).stem
        or str(data.get("_target_", "data")).split(".")[-1]
    )
    return masked(str(name))


def _estimator(params):
    """Class of the model: LogisticRegression."""
    node = (params.get("model") or {}).get("estimator") or {}
    if "_target_" not in node:
        node = next((part for part in node.values() if isinstance(part, dict) and "_target_" in part), {})
    return str(node.get("_target_", "model")).split(".")[-1]


def _best(work):
    """The params that the search found best."""
    known = _json(work / "search" / "best.json")
    return known.get("params", known)


def _json(path):
    """A small json file; {} where there is none or it is broken."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
