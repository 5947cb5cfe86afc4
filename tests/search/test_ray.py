"""Ray: the scores of the local engine, also when a worker dies; clear words where there is none."""

import builtins
import os
import socket
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier
from test_engine import classification, regression, search
from test_processes import WORDS, Unruly, few

from ml_core.search.ray import Ray


class Mortal(Unruly):
    """Takes its worker with it, the first time."""

    def __init__(self, how="well", mark=None):
        super().__init__(how)
        self.mark = mark

    def fit(self, X, y):
        if self.how == "mortal" and not Path(self.mark).exists():
            Path(self.mark).write_text("")
            os.kill(os.getpid(), 9)
        return super().fit(X, y)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ray_gives_the_local_scores_survives_a_worker_and_ends_a_fit_that_hangs(tmp_path):
    ray = pytest.importorskip("ray")
    here = search(classification(Unruly()), {})
    problem = classification(Mortal(mark=str(tmp_path / "died")))
    hows = ["well", "mortal", "full", "hangs"]
    there = search(few(problem), {"how": hows}, engine=Ray(jobs=2, timeout=3.0))
    assert (tmp_path / "died").exists() and not ray.is_initialized()
    assert there.scores[0] == there.scores[1] == here.scores[0, 0]
    assert there.errors == [None, None, WORDS["full"], WORDS["hangs"]]
    assert np.isfinite(there.mean).tolist() == [True, True, False, False]


def test_no_ray_and_a_dead_address_are_told_with_the_next_move(monkeypatch):
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.monotonic()
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}"):
        with pytest.raises(ValueError, match="no Ray answers at .*start one with `ray start --head`"):
            search(regression(DecisionTreeClassifier()), {}, engine=Ray(address))
    assert time.monotonic() - began < 20
    imported = builtins.__import__

    def without(name, *rest):
        if name.split(".")[0] == "ray":
            raise ModuleNotFoundError("No module named 'ray'", name="ray")
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModuleNotFoundError, match="needs the package ray, .*pip install 'ml-core.ray.'"):
        search(regression(DecisionTreeClassifier()), {}, engine=Ray())
