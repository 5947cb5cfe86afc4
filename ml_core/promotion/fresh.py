"""A model asked in a process of its own, by the path that serves it, and compared bit by bit."""

import json
import os
import select
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from ml_core.gates.packaged import Served
from ml_core.measure.predictions import BLOCK, Predictions
from ml_core.outcome import CheckFailed

SECONDS = 300  # for one request; a process that needs longer is given up


class Fresh:
    """The process: started at once, so that its imports pass while others work; ended by ``close``."""

    def __init__(self, packages=()):
        self.packages = [name for name in packages if name != "ml_core"]
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed with the process
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ml_core.tracking.served"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, text=True,
            env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """End the process by its id, and wait for it."""
        self.process.kill()
        self.process.communicate()
        self.said.close()

    def compare(self, folder: Path, rows: Path, features: list[str], offline: Predictions, model) -> Served:
        """Ask the MLflow model in ``folder`` about the parquet file ``rows``; CheckFailed where it cannot."""
        with tempfile.TemporaryDirectory() as out:
            answer = self._ask(
                {"model": str(folder), "rows": str(rows), "features": features, "out": out, "block": BLOCK,
                 "methods": _methods(offline), "packages": self.packages, "check": True}
            )  # fmt: skip
            if answer["n"] != len(offline):
                raise CheckFailed(
                    f"the serving path knows {answer['n']} rows, the offline predictions {len(offline)}"
                )
            said = {name: _read(Path(out) / name) for name in _methods(offline)}
        return _compared(said, offline, model, answer["refusals"])

    def _ask(self, request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self._line()
        except BrokenPipeError:
            line = ""
        if line is None:
            self.process.kill()  # a late answer must not be taken for that to the next request
            raise CheckFailed(f"a fresh process that loads the model gave no answer in {SECONDS:g} s")
        if not line:
            self.said.seek(0)
            last = next(iter(self.said.read().strip().splitlines()[-1:]), "it said nothing")
            raise CheckFailed(f"a fresh process that loads the model ended early: {last[:300]}")
        answer = json.loads(line)
        if "trouble" in answer:
            raise CheckFailed(f"the model does not load or predict in a fresh process: {answer['trouble']}")
        return answer

    def _line(self):
        """The answer; "" where the process ended, None where it took too long."""
        ready, _, _ = select.select([self.process.stdout], [], [], SECONDS)
        return self.process.stdout.readline() if ready else None


def _methods(offline):
    if offline.score is None:
        return ["predict"]
    return ["predict", "decision_function" if offline.probability is None else "predict_proba"]


def _read(place):
    if place.with_suffix(".npy").exists():
        return np.load(place.with_suffix(".npy"), allow_pickle=False)
    return np.array(json.loads(place.with_suffix(".json").read_text(encoding="utf-8")), dtype=object)


def _compared(said, offline, model, taken):
    """Labels by value, numbers by their bits."""
    answer = offline.answer if not offline.classes else _labels(offline)
    unequal = np.asarray(said["predict"] != answer).reshape(len(offline))
    gaps = np.zeros(1)
    if not offline.classes:
        gaps = np.abs(said["predict"] - answer)
    shown = {"predict": (said["predict"], answer)}
    for method in said.keys() - {"predict"}:
        theirs, ours = said[method], _known(offline, model)
        if theirs.dtype.kind not in "fiu" or _wide(theirs).shape != ours.shape:
            raise CheckFailed(
                f"asked for {method}, the serving path gives {theirs.dtype} {theirs.shape} in place of "
                f"numbers {ours.shape}; the signature in MLmodel was changed, or made elsewhere"
            )
        theirs = _wide(theirs)
        shown[method] = (theirs, ours)
        unequal |= (theirs != ours).any(axis=1)
        gaps = np.abs(theirs - ours)
    rows, first = np.flatnonzero(unequal), ""
    if len(rows):
        parts = [f"{name} {a[rows[0]]} against {b[rows[0]]}" for name, (a, b) in shown.items()]
        first = f"row {rows[0]}: {'; '.join(parts)}"
    return Served(len(offline), len(rows), float(gaps.max(initial=0.0)), first, taken)


def _labels(offline):
    kinds = {type(label) for label in offline.classes}
    labels = np.array(offline.classes, dtype=object if kinds & {str} else None)
    return labels[offline.answer]


def _wide(scores):
    return np.column_stack([-scores, scores]) if scores.ndim == 1 else scores


def _known(offline, model):
    """The offline scores of the classes that the model learned: what only the test rows know is left out."""
    learned = [getattr(label, "item", lambda label=label: label)() for label in model().classes_]
    return offline.score[:, [offline.classes.index(label) for label in learned]]
