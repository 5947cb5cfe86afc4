"""Ray: the scores of the local engine, also when a worker dies; clear words where there is none."""

import builtins
import os
import socket
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.tree import DecisionTreeClassifier
from test_engine import classification, regression, search
from test_processes import WORDS, Unruly, few

from ml_core.search.ray import Ray


class Mortal(DecisionTreeClassifier):
    """Takes its worker with it, the first time."""

    def __init__(self, mark=None, max_depth=None):
        super().__init__(random_state=0, max_depth=max_depth)
        self.mark = mark

    def fit(self, X, y):
        if self.max_depth == 2 and not Path(self.mark).exists():
            Path(self.mark).write_text("")
            os.kill(os.getpid(), 9)
        return super().fit(X, y)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ray_gives_the_local_scores_and_survives_the_death_of_a_worker(tmp_path):
    ray = pytest.importorskip("ray")
    engine, space = Ray(jobs=2), {"max_depth": [1, 2, 3]}
    here = search(classification(DecisionTreeClassifier(random_state=0)), space)
    there = search(classification(Mortal(str(tmp_path / "died"))), space, engine=engine)
    assert_array_equal(here.scores, there.scores)
    assert (tmp_path / "died").exists() and there.errors == [None] * 3
    assert not ray.is_initialized()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_hanging_fit_and_a_failing_one_are_rows_and_an_address_is_joined():
    ray = pytest.importorskip("ray")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        space = {"how": ["well", "full", "hangs"]}
        trials = search(few(classification(Unruly())), space, engine=Ray(jobs=2, timeout=3.0))
        assert trials.errors == [WORDS[how] for how in space["how"]]
        assert np.isfinite(trials.mean).tolist() == [True, False, False]
        assert ray.is_initialized()  # not ours to end
    finally:
        ray.shutdown()


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
