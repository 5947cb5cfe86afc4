"""A model as its users load it: ``python -m ml_core.tracking.served`` is a process that knows nothing else.

It imports MLflow's pyfunc at once, while whoever started it does other things, and then answers requests, a
line of JSON each: {"model": folder, "rows": parquet, "features": [...], "methods": [...], "out": folder,
"block": rows, "packages": [...], "check": bool}. What a method gives becomes ``out``/METHOD.npy or .json.
"""

import gc
import json
import os
import sys
from pathlib import Path

import yaml

LOADER = "ml_core.models.file"


def main() -> None:
    """Answer until the input ends: {"n": rows, "refusals": {...}} or {"trouble": "..."}."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers
    gc.disable()  # what is imported stays: looking through it for garbage is a fifth of the time
    import mlflow.pyfunc  # noqa: F401

    from ml_core.models import file

    file.warm()
    gc.freeze()
    gc.enable()

    for line in sys.stdin:
        try:
            answer = _answer(json.loads(line))
        except Exception as error:
            said = next(iter(str(error).strip().splitlines()), "")
            answer = {"trouble": f"{type(error).__name__}: {said}"[:500]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def check_loader(folder: Path) -> dict:
    """MLmodel's content; ValueError where it would make MLflow run code other than ours to load the model."""
    known = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
    flavors = known.get("flavors") or {}
    pyfunc = flavors.get("python_function") or {}
    if pyfunc.get("loader_module") != LOADER or pyfunc.get("code") or set(flavors) != {"python_function"}:
        raise ValueError(
            f"the model's MLmodel names the loader {pyfunc.get('loader_module')!r} and the code "
            f"{pyfunc.get('code')!r}, not {LOADER} and none; it was changed, or made elsewhere"
        )
    return known


def _answer(asked):
    import mlflow.pyfunc
    import polars as pl

    from ml_core.models.file import trusting

    folder = Path(asked["model"])
    check_loader(folder)
    with trusting(asked["packages"]):
        model = mlflow.pyfunc.load_model(str(folder))
    lazy, features = pl.scan_parquet(asked["rows"]), asked["features"]
    n = lazy.select(pl.len()).collect().item()
    said = {name: [] for name in asked["methods"]}
    for start in range(0, n, asked["block"]):
        frame = lazy.slice(start, asked["block"]).select(features).collect().to_pandas()
        for name, parts in said.items():
            parts.append(_array(model.predict(frame, params={"method": name})))
    for name, parts in said.items():
        _keep(parts, Path(asked["out"]) / name)
    few = lazy.select(features).head(3).collect().to_pandas()
    return {"n": n, "refusals": _refusals(model, few) if asked["check"] else {}}


def _array(said):
    import numpy as np

    return np.asarray(said)


def _keep(parts, place):
    """Numbers as .npy, labels that are text as .json: nothing that needs pickle."""
    import numpy as np

    whole = np.concatenate(parts) if parts else np.zeros(0)
    if whole.dtype.kind in "OUS":
        place.with_suffix(".json").write_text(json.dumps(whole.tolist()), encoding="utf-8")
    else:
        np.save(place.with_suffix(".npy"), whole, allow_pickle=False)


def _refusals(model, few):
    """What the model's signature lets through that it must not: {} where it refuses both."""
    name = few.columns[0]
    wrong = {"missing": few.drop(columns=name)}
    known = model.metadata.get_input_schema()
    columns = known.inputs if known else []  # a signature that was taken away refuses nothing
    numbers = [column.name for column in columns if str(column.type).endswith(("long", "double"))]
    if numbers:
        wrong["wrongly typed"] = few.assign(**{numbers[0]: "text"})
    else:
        wrong["wrongly typed"] = few.assign(**{name: [[1]] * len(few)})
    taken = {}
    for what, frame in wrong.items():
        try:
            model.predict(frame)
            taken[what] = name if what == "missing" else (numbers or [name])[0]
        except Exception as error:
            if type(error).__name__ != "MlflowException":
                taken[what] = f"{type(error).__name__} instead of a refusal by the signature"
    return taken


if __name__ == "__main__":
    main()
