"""`mlcore reproduce RUN_ID`: commit, params and data of a run in a fresh folder, run again and compared."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ml_core.cli.commands import print_error, print_line
from ml_core.cli.show import tracker


def reproduce_run(name: str, keep: Path | None) -> int:
    """0 when the outputs are bit-identical to the recorded ones, 1 with the first difference."""
    ledger = tracker()
    run = ledger.read(name)
    difference = again(run, ledger, keep)
    print_line(difference or f"bit-identical: {run.run_id} was run again from its commit and data")
    return 1 if difference else 0


def again(run, ledger, keep: Path | None = None) -> str:
    """The first difference between ``run`` and a rerun of it in a fresh folder (``keep``: one that stays)."""
    from ml_core.tracking import trace

    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise ValueError(f"--keep {keep} is not empty; name a new folder")
    with tempfile.TemporaryDirectory(prefix="mlcore-") as scratch:
        folder = (keep or Path(scratch) / "project").resolve()
        print_error(f"checking out {run.tags.get('git.sha', '')[:10]} into {folder}")
        trace.check_out(run, ledger, Path.cwd(), folder)
        environment = {key: value for key, value in os.environ.items() if key != "MLCORE_CODE"}
        environment |= {"PYTHONPATH": str(folder), "DVC_ROOT": str(folder)}
        # every stage anew: a result restored from the run cache would prove nothing
        words = [sys.executable, "-m", "ml_core", "run", "--force"]
        done = subprocess.run(words, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        if done.returncode:
            return f"the run ended with exit code {done.returncode} when repeated"
        return trace.first_difference(run, ledger, folder)
