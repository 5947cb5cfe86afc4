"""The rows of a recorded run: DVC keeps them by their content, in its cache here or where it was pushed."""

import configparser
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl

from ml_core.data.table import ROW
from ml_core.tracking import lineage, trace
from ml_core.tracking.gather import TRAINED
from ml_core.tracking.run import Run


def lay(run: Run, tracking, step: str, folder: Path) -> Path:
    """Links to what ``step`` left in that run, in ``folder``/rows/step, brought from DVC's remote if need be.

    FileNotFoundError with the next move where nobody has it any more.
    """
    place = folder / "rows" / step
    if place.is_dir():
        return place
    if "dvc.lock" not in run.artifacts:
        raise ValueError(
            f"run {run.run_id} left no dvc.lock, so its rows cannot be found: a job of Hydra's, or a run "
            "that failed. Run it by `mlcore run`"
        )
    locked = lineage.lock(tracking.fetch(run.run_id, "dvc.lock", folder / "lock").parent)
    md5 = lineage.outputs(locked).get(f"out/{step}", "")
    objects = _objects(cache(Path.cwd()), md5)
    if objects is None:
        objects = _objects(cache(_fetched(run, tracking, step, folder)), md5)
    if objects is None:
        raise FileNotFoundError(
            f"out/{step} of run {run.run_id} is neither in DVC's cache nor in its remote; `dvc push` it "
            "where the run was made, or run it again: mlcore reproduce"
        )
    place.mkdir(parents=True)
    for name, path in objects.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).symlink_to(path)
    return place


def trained_on(run: Run, tracking, folder: Path) -> np.ndarray:
    """Ids uint64 (n,) of the run's training rows, sorted."""
    if TRAINED in run.artifacts:
        return pl.read_parquet(tracking.fetch(run.run_id, TRAINED, folder))[ROW].to_numpy()
    file = lay(run, tracking, "prepare", folder) / "train.parquet"
    return np.sort(pl.scan_parquet(file).select(ROW).collect()[ROW].to_numpy())


def tested_on(run: Run, tracking, folder: Path) -> np.ndarray:
    """Ids uint64 (n,) of the rows that the run was judged on."""
    file = tracking.fetch(run.run_id, "evaluate/predictions.parquet", folder)
    return pl.scan_parquet(file).select(ROW).collect()[ROW].to_numpy()


def cache(root: Path) -> Path:
    """DVC's cache of the checkout ``root``, as its config has it."""
    for name in ("config.local", "config"):
        known = configparser.ConfigParser(interpolation=None)
        known.read(root / ".dvc" / name, encoding="utf-8")
        if known.has_option("cache", "dir"):
            return (root / ".dvc" / known.get("cache", "dir").strip("'\"")).resolve()
    return root / ".dvc" / "cache"


def members(store: Path, md5: str) -> dict[str, str] | None:
    """Path inside -> md5 of what a folder's digest stands for; None where the cache has no such folder."""
    listing = _place(store, md5)
    if not md5.endswith(".dir") or not listing.exists():
        return None
    return {entry["relpath"]: entry["md5"] for entry in json.loads(listing.read_text(encoding="utf-8"))}


def _objects(store, md5):
    """Name -> file in the cache of a folder's members; None unless all are there."""
    found = members(store, md5)
    if found is None:
        return None
    paths = {name: _place(store, one).resolve() for name, one in found.items()}
    return paths if all(path.exists() for path in paths.values()) else None


def _place(store, md5):
    return store / "files" / "md5" / md5[:2] / md5[2:]


def _fetched(run, tracking, step, folder):
    """A checkout of the run's commit that shares our cache, after `dvc fetch STEP` there."""
    root, clone = Path.cwd(), folder / "project"
    trace.check_out(run, tracking, root, clone)
    (clone / "dvc.lock").write_bytes(tracking.fetch(run.run_id, "dvc.lock", folder / "lock").read_bytes())
    known, local = configparser.ConfigParser(interpolation=None), ".dvc/config.local"
    known.read(root / local, encoding="utf-8")
    known["cache"] = {"dir": str(cache(root))}
    with (clone / local).open("w", encoding="utf-8") as file:
        known.write(file)
    subprocess.run(
        [sys.executable, "-m", "dvc", "fetch", "--quiet", step],
        cwd=clone, env=os.environ | {"DVC_NO_ANALYTICS": "1"}, capture_output=True,
    )  # fmt: skip
    return root
