"""Ray: the scores of the local engine, also when a worker dies; clear words where there is none."""

import builtins
import os
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from test_engine import classification, regression, search
from test_processes import WORDS, Unruly, few

from ml_core.models.linear import Ridge
from ml_core.search import engine
from ml_core.search.bayes import Bayes
from ml_core.search.parts import Part, Parts
from ml_core.search.ray import Ray, _knock
from ml_core.search.space import Joint, parse


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


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_on_ray_data_is_put_away_once_and_scores_are_the_local_engines(monkeypatch):
    ray = pytest.importorskip("ray")
    put, kept = ray.put, []
    monkeypatch.setattr(ray, "put", lambda thing: kept.append(thing) or put(thing))
    models = {"line": Ridge(), "tree": DecisionTreeRegressor(random_state=0)}  # score_many, and fit by fit
    problem = replace(regression(None), estimator=models)
    axes = {"line": {"alpha": {"low": 0.1, "high": 100, "log": True}}, "tree": {"max_depth": [1, 2, 3, 4]}}
    space = Joint({family: parse(own) for family, own in axes.items()}, {}, {})
    strategy = Bayes(6, batch=2, start=4)
    there = engine.search(problem, space, strategy, engine=Ray(jobs=2))
    assert not any(isinstance(thing, Part) for thing in kept[:1]) and len(kept) == 1 + len(problem.folds)
    assert all(isinstance(thing, Part) for thing in kept[1:])  # once a fold, for all families and batches
    here = engine.search(replace(problem, kept=Parts()), space, strategy)
    assert there.candidates == here.candidates and np.isfinite(there.scores).all()
    assert_array_equal(there.scores, here.scores)
    assert {candidate["family"] for candidate in there.candidates} == set(models)


@pytest.mark.parametrize(
    ("says", "why"), [(b"HTTP/1.1 400 no\r\n\r\n", "something else listens there"), (b"", "timed out")]
)
def test_who_listens_and_is_no_ray_is_told_soon(monkeypatch, says, why):
    monkeypatch.setattr("ml_core.search.ray.KNOCK", 60.0 if says else 0.2)
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer():
            door = other.accept()[0]
            door.sendall(says)
            gone.wait(60)
            door.close()

        gone = threading.Event()
        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ValueError, match=f"no Ray answers at 127.0.0.1:.*{why}"):
            _knock(f"127.0.0.1:{other.getsockname()[1]}")
        gone.set()
        thread.join()


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
