"""Two models on the same rows, made of numbers: a duel for the tests of gates."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import norm

from ml_core.gates.duel import Contender, Duel
from ml_core.gates.packaged import Served
from ml_core.measure.predictions import Predictions

KINDS = {"age": "numeric", "income": "numeric", "sex": "categorical", "region": "categorical"}
METRIC = {"binary": "auc", "multiclass": "balanced_accuracy", "regression": "r2"}
LABELS = {"binary": ["no", "yes"], "multiclass": ["a", "b", "c"]}
CUTS = {"binary": [0.0], "multiclass": [-0.75, 0.75]}
REPORT = {"passed": True, "broken": []}


class Asked:
    """A model that costs next to nothing."""

    def predict(self, X):
        """X polars (n, d) -> (n,)."""
        return X["age"].to_numpy()


def table(rng, n):
    """Rows of all kinds with what their target hangs on, (n,)."""
    frame = pl.DataFrame(
        {
            "age": rng.normal(40, 10, size=n),
            "income": rng.normal(size=n),
            "sex": rng.choice(["female", "male"], size=n),
            "region": rng.choice(["north", "south", "west"], size=n),
        }
    )
    return frame, 0.1 * (frame["age"].to_numpy() - 40) + frame["income"].to_numpy() + rng.normal(size=n)


def predictions(task, truth, seen, noise):
    """What the best model says that sees the signal, of variance 3, through ``noise``: it is calibrated."""
    kept = 3 / (3 + noise**2)
    mean, spread = kept * seen, max(kept * noise**2, 1e-9) ** 0.5
    if task == "regression":
        return Predictions(task, mean, truth)
    cuts = CUTS[task]
    below = norm.cdf((np.array(cuts)[None, :] - mean[:, None]) / spread)
    chances = np.diff(np.column_stack([np.zeros(len(mean)), below, np.ones(len(mean))]), axis=1)
    return Predictions(task, chances.argmax(axis=1), truth, LABELS[task], chances, chances)


def duel(task="binary", n=600, seed=0, better=0.0, **known):
    """A champion, and a candidate that is its equal, or ``better`` (0 .. 1) on the way to the truth."""
    rng = np.random.default_rng(seed)
    frame, signal = table(rng, n + 400)
    truth = signal if task == "regression" else np.digitize(signal, CUTS[task])
    labels = truth if task == "regression" else np.array(LABELS[task])[truth]
    row, test, rest = np.arange(n + 400, dtype=np.uint64), slice(0, n), slice(n, None)
    noise = rng.normal(size=n + 400)
    sides = {}
    for name, much in (("champion", 0.9), ("candidate", 0.9 * (1 - better))):
        says = predictions(task, truth[test], (signal + much * noise)[test], much)
        rows = {"trained_on": row[rest], "tested_on": row[test]}
        sides[name] = Contender(name, says, run_id=name, path=Path(__file__), load=Asked, **rows)
    made = Duel(
        task,
        "y",
        METRIC[task],
        frame[test],
        KINDS,
        labels[test],
        row[test],
        sides["candidate"],
        sides["champion"],
        classes=LABELS.get(task, []),
        quality=REPORT,
        training=lambda: (frame[rest], labels[rest], row[rest]),
        evidence={"packaged": lambda: {"test": Served(n)}, "reproduced": str, "approval": str},
    )
    return replace(made, **known)


def other(one, **changes):
    """The same duel with another candidate."""
    return replace(one, candidate=replace(one.candidate, **changes))
