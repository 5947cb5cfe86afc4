"""Four small real tables that ship inside scikit-learn's package: no network, no path.

The files are read where they lie: importing scikit-learn to read 178 rows would cost seconds of every
process. The tests compare each table with scikit-learn's own loader.
"""

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from ml_core.data import columns, kinds
from ml_core.data.table import Table

CELL = ["radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave_points"]
CELL += ["symmetry", "fractal_dimension"]
WINE = ["alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols", "flavanoids"]
WINE += ["nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue", "od280_od315_of_diluted_wines"]
BLOOD = ["total_cholesterol", "ldl", "hdl", "cholesterol_hdl_ratio", "log_triglycerides", "glucose"]
NAMES = {
    "breast_cancer": [f"{part}_{name}" for part in ("mean", "error", "worst") for name in CELL],
    "wine": [*WINE, "proline"],
    "digits": [f"pixel_{row}_{column}" for row in range(8) for column in range(8)],
    "diabetes": ["age", "sex", "bmi", "blood_pressure", *BLOOD],
}
TARGETS = {"breast_cancer": "diagnosis", "wine": "cultivar", "digits": "digit", "diabetes": "progression"}
LABELS = {
    "breast_cancer": ["malignant", "benign"],
    "wine": ["class_0", "class_1", "class_2"],
    "digits": list("0123456789"),
}


@dataclass(frozen=True)
class Embedded:
    """Table ``name``: breast_cancer, wine, digits (classes as text) or diabetes (in its own units)."""

    name: str
    path: str = "conf/data"
    target: str | None = None
    task: str = "auto"
    key: list = field(default_factory=list)
    drop: list = field(default_factory=list)
    types: dict = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "types", kinds.named(self.types))

    def read(self) -> Table:
        """The table."""
        if self.name not in NAMES:
            raise ValueError(f"data.name: got {self.name!r}, allowed are {', '.join(NAMES)}")
        names = [*NAMES[self.name], TARGETS[self.name]]
        columns.check(self, names, self.name)
        frame = _read(self.name, names).lazy()
        if self.types:
            from ml_core.data.retype import retype

            frame = retype(frame, self.types, self.name)
        known = kinds.of_frame(frame, self.types)
        if self.target is None:  # a clustering shall not be handed the answer
            known.pop(names[-1])
        return columns.table(self, frame, known, f"embedded {self.name}")


def _read(name, names):
    folder = Path(importlib.util.find_spec("sklearn").submodule_search_locations[0], "datasets", "data")
    if name == "diabetes":
        target = _plain(folder / "diabetes_target.csv.gz", " ", names[-1:])
        return _plain(folder / "diabetes_data_raw.csv.gz", " ", names[:-1]).hstack(target)
    if name == "digits":
        frame = _plain(folder / "digits.csv.gz", ",", names)
    else:
        frame = _plain(folder / {"wine": "wine_data.csv"}.get(name, f"{name}.csv"), ",", names, skip=1)
    labels = dict(enumerate(LABELS[name]))
    return frame.with_columns(pl.col(names[-1]).cast(pl.Int64).replace_strict(labels, return_dtype=pl.String))


def _plain(file, separator, names, skip=0):
    return pl.read_csv(
        file,
        has_header=False,
        separator=separator,
        skip_rows=skip,
        new_columns=names,
        infer_schema_length=None,
    )
