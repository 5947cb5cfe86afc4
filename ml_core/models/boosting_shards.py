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
    shape: tuple
    names: Names = field(default_factory=Names)

    @classmethod
    def of(cls, path, target):
        """A parquet file, or the parquet files of a folder in the order of their names; target: a column."""
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
        if target not in columns:
            raise KeyError(f"{path}: no column {target!r}; it has {', '.join(columns)}")
        columns = [name for name in columns if name != target]
        n = sum(one.metadata.num_rows for one in opened)
        if not n:
            raise ValueError(f"{path}: it holds no rows")
        return cls(files, columns, target, (n, len(columns)))

    def __len__(self):
        return self.shape[0]

    @property
    def size(self):
        """Cells."""
        return self.shape[0] * self.shape[1]

    def target(self):
        """The target's column (n,)."""
        parts = [frame[self.given].to_numpy() for frame in self._frames([self.given])]
        y = np.concatenate(parts)
        if y.dtype.kind in "fc" and np.isnan(y).any():
            raise ValueError(
                f"{self.given} is missing in row {int(np.isnan(y).argmax())}; drop such rows first"
            )
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
