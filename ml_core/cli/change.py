"""`mlcore report-change BASE`: run the commit BASE and the checkout, and tell what differs."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ml_core import plan
from ml_core.cli.commands import print_error, print_line

LAST = "evaluate"  # nothing is logged: a report leaves no run behind


def report_change(base: str, report: Path | None) -> int:
    """Print the differences, and write them to ``report``; 1 where either side does not run."""
    from ml_core.report import change
    from ml_core.report.document import terminal, write
    from ml_core.tracking import trace

    root = Path.cwd()
    sha = trace.commit_of(root, base)
    # beside the checkout: data it reaches by ../x is then reached from there as well
    with tempfile.TemporaryDirectory(prefix=".mlcore-base-", dir=root.parent) as place:
        folder = Path(place) / root.name
        trace.clone(root, sha, folder)
        trace.bring_data(root, folder, [dep for stage in plan.read(folder) for dep in stage.deps])
        trace.share_cache(root, folder)
        for name, where in ((f"{base} ({sha[:10]})", folder), ("this checkout", root)):
            print_error(f"running {name}")
            if code := _run(where):
                print_error(
                    f"{name}: `mlcore run {LAST}` ended with exit code {code}, so nothing can be compared"
                )
                return 1
        said = change.document(folder, root, (sha[:10], "this checkout"))
    terminal(said)
    if report is not None:
        for file in write(said, report):
            print_line(str(file))
    return 0


def _run(folder):
    """The recipe up to evaluate by the code in ``folder``, on this environment; its exit code."""
    environment = {key: value for key, value in os.environ.items() if key != "MLCORE_CODE"}
    environment |= {"PYTHONPATH": str(folder), "DVC_ROOT": str(folder)}
    words = [sys.executable, "-m", "ml_core", "run", LAST]
    return subprocess.run(words, cwd=folder, env=environment, stdout=subprocess.DEVNULL).returncode
