"""A run as a folder: run.json beside copies of its files. Waiting runs and the memory tracker's lie so."""

import os
import re
import shutil
import tempfile
from pathlib import Path

from ml_core.tracking.run import Run, from_json, to_json

UNSAFE = re.compile(r"[#?%\\:*\"<>|\x00-\x1f]")  # stores put names into URLs without quoting them


def store_name(name: str) -> str:
    """A file's name as every store takes it."""
    return UNSAFE.sub("_", name)


def write(run: Run, folder: Path) -> Path:
    """Copy ``run`` to ``folder``, which appears whole or not at all and replaces an older one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        stage(run, fresh, copy=True)
        if run.model is not None and run.model.path is not None:
            shutil.copyfile(run.model.path, fresh / "model.skops")
        if folder.exists():
            old = Path(tempfile.mkdtemp(prefix=".old-", dir=folder.parent))
            folder.rename(old / "old")
            fresh.rename(folder)
            shutil.rmtree(old, ignore_errors=True)
        else:
            fresh.rename(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return folder


def read(folder: Path) -> Run:
    """The run that ``write`` left in ``folder``; its files lie there."""
    return from_json((folder / "run.json").read_text(encoding="utf-8"), folder)


def stage(run: Run, folder: Path, copy: bool = False) -> list[str]:
    """Lay run.json and every file (or a link to it) under ``folder`` by its name in the store; the names."""
    for name, path in run.artifacts.items():
        if name == "run.json":
            continue
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if copy:
            shutil.copyfile(path, place)
        else:
            os.symlink(Path(path).resolve(), place)
    (folder / "run.json").write_text(to_json(run), encoding="utf-8")
    return sorted({*run.artifacts, "run.json"})


def inside(folder: Path, name: str) -> Path:
    """``folder``/``name``; KeyError for a name that leads out of it."""
    if not name or not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise KeyError(
            f"{name!r} is no name of a run's file: it must lie inside, such as evaluate/metrics.json"
        )
    return folder / name


def bring(source: Path, name: str, folder: Path) -> Path:
    """Copy the file or folder ``name`` of the bundle ``source`` into ``folder``."""
    found, place = inside(source, name), inside(folder, name)
    if not found.exists():
        names = [str(path.relative_to(source)) for path in sorted(source.rglob("*")) if path.is_file()]
        raise KeyError(f"run {source.name} has no file {name!r}; it has {', '.join(names)}")
    place.parent.mkdir(parents=True, exist_ok=True)
    if found.is_dir():
        shutil.copytree(found, place, dirs_exist_ok=True)
    else:
        shutil.copyfile(found, place)
    return place
