"""An ensemble of trees as arrays and JSON in one file, readable anywhere; nothing in it is ever run.

The file is an uncompressed zip of ``.npy`` arrays, as ``numpy.savez`` writes it, and of ``about.json``.
"""

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np

from ml_core.kernels.trees import KINDS, Trees
from ml_core.models.binning import Bins
from ml_core.models.ensemble import Ensemble

FORMAT = 1


def save(trees, path, about=None):
    """Write an ensemble, or that of a fitted forest or boosting, to ``path``, with what JSON can hold of
    ``about`` it; it appears whole or not.
    """
    path, ensemble = Path(path), getattr(trees, "_ensemble", trees)
    sizes = np.array([len(edges) for edges in ensemble.bins.edges], np.int64)
    arrays = dict(ensemble.trees._asdict()) | {
        "edges": np.concatenate([*ensemble.bins.edges, np.empty(0)]),
        "edges_of": sizes,
        "categorical": ensemble.bins.categorical,
    }
    head = {"format": FORMAT, "width": int(ensemble.width), "about": about or {}}
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(temporary, "w") as archive:
            _write(archive, "about.json", json.dumps(head, sort_keys=True).encode())
            for name, array in arrays.items():
                held = io.BytesIO()
                np.save(held, array, allow_pickle=False)
                _write(archive, f"{name}.npy", held.getvalue())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write(archive, name, content):
    archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)


def load(path):
    """(ensemble, about) of a file that ``save`` wrote; ValueError where it is damaged or points outside of
    itself.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no file of trees")
    try:
        with zipfile.ZipFile(path) as archive:
            head = json.loads(archive.read("about.json"))
            names = (*KINDS, "edges", "edges_of", "categorical")
            arrays = {
                name: np.load(io.BytesIO(archive.read(f"{name}.npy")), allow_pickle=False) for name in names
            }
        if head["format"] != FORMAT:
            raise ValueError(f"it has format {head['format']}, we read {FORMAT}")
        edges, sizes = arrays.pop("edges"), arrays.pop("edges_of")
        if (sizes < 0).any() or sizes.sum() != len(edges):
            raise ValueError("its edges do not fit its columns")
        bins = Bins(np.split(edges, np.cumsum(sizes)[:-1]), arrays.pop("categorical"))
        ensemble = Ensemble(bins, Trees(**arrays), int(head["width"]))
        ensemble.check()
    except (KeyError, TypeError, ValueError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not a file of trees, or changed since it was written ({error})") from error
    return ensemble, head["about"]
