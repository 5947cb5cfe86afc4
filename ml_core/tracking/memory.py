"""The tracker that needs no service and no library: a folder a run under .mlcore/memory."""

from dataclasses import dataclass, replace
from pathlib import Path

from ml_core.tracking import bundle, lineage
from ml_core.tracking.run import Run


@dataclass(frozen=True)
class Memory:
    """Keeps each run, files and all, in a folder of its own under ``folder`` (relative to the checkout).

    It has no registry, so that no model of it is ever champion.
    """

    folder: str = ".mlcore/memory"

    def record(self, run: Run) -> str:
        """Keep ``run``; the same receipt again changes nothing. Its run id."""
        run_id = run.receipt
        if run_id not in self._order():
            model = run.model and replace(run.model, uri=f"{self.folder}/{run_id}/model.skops")
            bundle.write(replace(run, run_id=run_id, model=model), self._place / run_id)
        return run_id

    def read(self, run_id: str) -> Run:
        """The run by its id, or by the first letters of it where they name one run."""
        order = self._order()
        found = [name for name in order if run_id and name.startswith(run_id)]
        if len(found) != 1:
            raise KeyError(
                f"{len(found) or 'no'} runs are called {run_id!r} in {self.folder}; the last are "
                f"{', '.join(order[-5:]) or 'none'}. `mlcore show` lists them"
            )
        return bundle.read(self._place / found[0])

    def runs(self, limit: int = 100) -> list[Run]:
        """The last ``limit`` runs, newest first."""
        return [bundle.read(self._place / run_id) for run_id in self._order()[::-1][:limit]]

    def fetch(self, run_id: str, name: str, folder: Path) -> Path:
        """Copy the file ``name`` of a run into ``folder``."""
        return bundle.bring(self._place / self.read(run_id).run_id, name, Path(folder))

    def champion(self, name: str) -> str | None:
        """Always None: there is no registry here."""
        return None

    @property
    def _place(self):
        return lineage.home() / self.folder

    def _order(self):
        """Run ids, oldest first; bundles appear whole, so whatever has a run.json can be read."""
        found = [path for path in self._place.glob("*/run.json") if not path.parent.name.startswith(".")]
        return [path.parent.name for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path))]
