"""Rows that stay in parquet files: read part by part, as often as a fit needs them.

Letters: n rows, d columns.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ml_core.models.names import Names

ROWS = 1 << 16  # read at a time


@dataclass
class Shards:
    """Parquet files with the same columns, as if they were one X (n, d), nan for missing."""

    files: list
    columns: list
    given: str
    weighed: str | None
    shape: tuple
    names: Names = field(default_factory=Names)

    @classmethod
    def of(cls, path, target, weight=None):
        """A parquet file, or the parquet files of a folder in the order of their names; target, weight: their
        columns.
        """
        from pyarrow import parquet

        path = Path(path)
        files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        if not files or not files[0].is_file():
            raise FileNotFoundError(f"{path}: neither a parquet file nor a folder of them")
        opened = [parquet.ParquetFile(file) for file in files]
        columns = opened[0].schema_arrow.names
        for file, one in zip(files, opened, strict=True):
            if one.schema_arrow.names != columns:
                raise ValueError(
                    f"{file}: its columns are not those of {files[0].name}: {', '.join(columns)}"
                )
        for name in (target, weight) if weight is not None else (target,):
            if name not in columns:
                raise KeyError(f"{path}: no column {name!r}; it has {', '.join(columns)}")
        if weight == target:
            raise ValueError(f"sample_weight is {weight!r}, the target; it must be a column of its own")
        columns = [name for name in columns if name not in (target, weight)]
        if not columns:
            raise ValueError(f"{path}: no column is left to learn from")
        n = sum(one.metadata.num_rows for one in opened)
        if not n:
            raise ValueError(f"{path}: it holds no rows")
        return cls(files, columns, target, weight, (n, len(columns)))

    def __len__(self):
        return self.shape[0]

    @property
    def size(self):
        """Cells."""
        return self.shape[0] * self.shape[1]

    def target(self):
        """The target's column (n,)."""
        return self._column(self.given)

    def weights(self):
        """The column of weights (n,), or None: all > 0, since rows of none would have to be read into memory
        to be left out.
        """
        if self.weighed is None:
            return None
        weights = self._column(self.weighed)
        if weights.dtype.kind not in "iuf":
            raise ValueError(f"{self.weighed} holds {weights.dtype}; weights must be numbers")
        if (weights == 0).any():
            row = int((weights == 0).argmax())
            raise ValueError(f"{self.weighed} is 0 in row {row}; weights must be > 0, drop such rows first")
        return weights

    def _column(self, name):
        y = np.concatenate([frame[name].to_numpy() for frame in self._frames([name])])
        if y.dtype.kind in "fc" and np.isnan(y).any():
            raise ValueError(f"{name} is missing in row {int(np.isnan(y).argmax())}; drop such rows first")
        return y

    def read_by(self, model, reset):
        """Itself, once the model has learned the columns' names, and the values of columns of names."""
        if reset:
            known = {}
            for frame in self._frames(self.columns):
                for name, values in Names.learn(frame).known.items():
                    known[name] = np.union1d(known.get(name, values), values)
            model._names = Names(known)
            model.n_features_in_ = self.shape[1]
            model.feature_names_in_ = np.array(self.columns, dtype=object)
        elif list(getattr(model, "feature_names_in_", self.columns)) != self.columns:
            raise ValueError(f"the columns are {self.columns}, but the model was fitted on others")
        self.names = model._names
        return self

    def parts(self):
        """Yield X part by part, (rows, d) float64."""
        import polars

        for frame in self._frames(self.columns):
            part = self.names.replace(frame).select(polars.all().cast(polars.Float64)).to_numpy()
            if np.isinf(part).any():
                name = self.columns[int(np.isinf(part).any(axis=0).argmax())]
                raise ValueError(f"{name} holds infinity; numbers must be finite, or missing")
            yield part

    def __getitem__(self, rows):
        """X of some rows, ascending."""
        found, first = [], 0
        for part in self.parts():
            inside = rows[np.searchsorted(rows, first) : np.searchsorted(rows, first + len(part))]
            found.append(part[inside - first])
            first += len(part)
        return np.concatenate(found)

    def _frames(self, columns):
        import polars
        from pyarrow import parquet

        for file in self.files:
            for batch in parquet.ParquetFile(file).iter_batches(ROWS, columns=columns):
                yield polars.from_arrow(batch)
