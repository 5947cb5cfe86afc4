"""Promotions and rollbacks as forked processes, killed at any moment or all at once: run by test_moves.py.

``python moves.py kills ADDRESS N`` and ``python moves.py together ADDRESS N``, in a project after one run.
Forked, since the imports would cost more than the moves; the parent never uses polars, whose threads do not
survive a fork.
"""

import os
import random
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np

from ml_core.gates.packaged import Served
from ml_core.gates.verdict import Verdict
from ml_core.promotion import history
from ml_core.promotion.policy import Policy
from ml_core.promotion.promote import Asked, promote
from ml_core.promotion.rollback import roll_back
from ml_core.report import document
from ml_core.tracking.ledger import RECEIPT
from ml_core.tracking.mlflow import Mlflow

NAME = "churn"


def plain(made, path):
    """In place of drawing a report: that has tests of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(made.lead)
    path.with_suffix(".html").write_text(made.lead)


document.write = plain


class InProcess:
    """Says what a fresh process would say of a model that is whole."""

    def compare(self, folder, rows, features, offline, model):
        assert model() is not None
        return Served(len(offline))


def yes(duel):
    """A gate that looks at both models, and lets everybody through."""
    same = duel.champion is None or np.array_equal(*(side.answer for side in duel.paired))
    return Verdict("yes", True, f"the champion says {'the same' if same else 'other things'}")


def candidates(tracker, n):
    """The project's run under n ids: n runs that can be told apart. One is recorded, the others are copies.

    Recording a run takes as long as moving the champion, and it is the moves that are killed.
    """
    source = Mlflow().runs(1)[0]
    whole = Mlflow().read(source.run_id)
    with tempfile.TemporaryDirectory() as place:
        model = Mlflow().fetch(source.run_id, "model.skops", Path(place))
        first = tracker.record(replace(whole, run_id=None, model=replace(whole.model, path=model, uri="")))
        with tracker.client() as client:
            known = client.get_run(first)
            files = client.download_artifacts(first, "", place)
            return [first, *(copied(client, known, files, i) for i in range(1, n))]


def copied(client, known, files, i):
    """Another run with the same params, tags, model and files, but a receipt of its own; its id."""
    from mlflow.entities import LoggedModelOutput, Param

    tags = known.data.tags | {RECEIPT: f"{i:032x}", "mlflow.runName": f"candidate {i}"}
    run_id = client.create_run(known.info.experiment_id, tags=tags).info.run_id
    client.log_batch(run_id, params=[Param(name, value) for name, value in known.data.params.items()])
    client.log_outputs(run_id, [LoggedModelOutput(known.outputs.model_outputs[-1].model_id, step=0)])
    client.log_artifacts(run_id, files)
    client.set_terminated(run_id)
    return run_id


def move(tracker, run_id, to=None):
    """Promote ``run_id``, or roll back where it is None."""
    registry = tracker.registry(NAME)
    with tempfile.TemporaryDirectory() as place:
        if run_id is None:
            roll_back(registry, tracker, InProcess(), Path(place), to=to, why="a test", who="me", force=False)
        else:
            asked = Asked(
                tracker.read(run_id), {"yes": yes}, Policy(), "me", InProcess(), str, tell=lambda line: None
            )
            assert promote(asked, tracker, registry, Path(place)).good


def forked(function, *words):
    """A process that does it; its id."""
    child = os.fork()
    if child:
        return child
    try:
        function(*words)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def ended(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def check(tracker):
    """History and alias as they must be when nobody acts; the history."""
    registry = tracker.registry(NAME)
    known = history.read(registry)
    assert [entry.number for entry in known.entries] == list(range(1, len(known.entries) + 1))
    for older, newer in zip(known.entries, known.entries[1:], strict=False):
        assert newer.before == older.version and newer.before_run == older.run_id
    return known, registry.aliases().get("champion")


def kills(tracker, n):
    """n kill -9 at random moments of promotions and rollbacks, in turn."""
    runs, rng, killed, cut = candidates(tracker, n + 2), random.Random(0), 0, 0
    assert ended(forked(move, tracker, runs[0])) == 0
    began = time.monotonic()
    assert ended(forked(move, tracker, runs[1])) == 0
    whole = time.monotonic() - began
    for i in range(n):
        before, old = check(tracker)
        began = time.monotonic()
        child = forked(move, tracker, None if i % 3 == 2 and before.previous else runs[i + 2])
        time.sleep(rng.uniform(0, whole))
        os.kill(child, signal.SIGKILL)
        hit = ended(child) != 0
        killed += hit
        # the machine is faster or slower than it was: most kills shall hit, and some late
        whole = 1.05 * whole if hit else min(whole, time.monotonic() - began)
        after, alias = check(tracker)
        assert after.entries[: len(before.entries)] == before.entries or not before.head.done
        assert len(after.entries) - len(before.entries) in (0, 1), "a killed move made two entries"
        # of a move cut before, which the next one finishes, the champion may still be the one it found
        assert alias in {old, before.head.version, after.head.version}, "neither the old nor the new champion"
        if alias not in (old, before.head.version):
            assert after.head.version == alias, "a champion that the history does not know"
        cut += not after.head.done
    last = runs[0] if check(tracker)[0].head.run_id != runs[0] else runs[1]
    assert ended(forked(move, tracker, last)) == 0
    known, alias = check(tracker)
    assert known.head.done and alias == known.head.version
    told = f"killed {killed} of {n}, {cut} between decision and alias, {len(known.entries)} entries"
    sys.stdout.write(told + "\n")


def together(tracker, n):
    """n promotions at once, each as from a machine of its own: no lock but the store's."""
    runs, children = candidates(tracker, n), []
    for run_id in runs:
        os.environ["DVC_ROOT"] = tempfile.mkdtemp(dir=".mlcore")
        children.append(forked(move, tracker, run_id))
    codes = [ended(child) for child in children]
    assert codes == [0] * n, codes
    known, alias = check(tracker)
    assert sorted(entry.run_id for entry in known.entries) == sorted(runs)
    assert all(entry.done for entry in known.entries) and alias == known.head.version
    versions = tracker.registry(NAME).versions()
    assert sorted(one.run_id for one in versions) == sorted(runs), "a version a run"
    sys.stdout.write(f"{n} at once: {' '.join(entry.version for entry in known.entries)}\n")


if __name__ == "__main__":
    what, address, number = sys.argv[1:]
    # before the forks
    import mlflow.artifacts  # noqa: F401

    import ml_core.features.columns  # noqa: F401
    import ml_core.models.logistic  # noqa: F401
    from ml_core.models import file
    from ml_core.report import promotion  # noqa: F401

    file.warm()

    {"kills": kills, "together": together}[what](Mlflow(address, patience=60), int(number))
