"""Ctrl-C: the best so far is told, the same command goes on, and `--take-best` ends with what there is."""

import json
import signal
import subprocess
import time

import pytest

from ml_core import progress
from ml_core.progress import spark
from ml_core.search.journal import opened, take_best

CODE = """
import time
from sklearn.linear_model import LogisticRegression

class Slow(LogisticRegression):
    def fit(self, X, y):
        time.sleep(0.15)
        return super().fit(X, y)
"""


def slow(project):
    """A project whose search takes a while."""
    project.write("mine.py", CODE)
    project.write("conf/allowed.yaml", "packages: [ml_core, sklearn, skrub, mine]\n")
    model = (
        "estimator: {classification: {_target_: mine.Slow}}\nspace: {C: {low: 0.01, high: 10.0, log: true}}\n"
    )
    project.write("conf/model/slow.yaml", model)
    project.environment |= {"PYTHONPATH": str(project.folder)}
    project.mlcore("compose", "model=slow", "search=random", "search.strategy.tries=30", "tracking=memory")


def lines(project):
    paths = (project.folder / ".mlcore/search").glob("*.jsonl")
    return max([path.read_bytes().count(b"\n") for path in paths], default=0)


def interrupted(project, *words):
    """Run until some more trials are done, then Ctrl-C; what it said."""
    deadline, target = time.monotonic() + 120, lines(project) + 25
    process = subprocess.Popen(
        ["mlcore", *words], cwd=project.folder, env=project.environment, stderr=subprocess.PIPE, text=True
    )
    while time.monotonic() < deadline and process.poll() is None and lines(project) < target:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    return said


@pytest.mark.slow
def test_ctrl_c_tells_the_best_and_leaves_the_choice(project):
    slow(project)
    said = interrupted(project, "run")
    assert "interrupted; best of " in said and "`mlcore search --take-best` ends with it" in said
    assert "the same command goes on from there" in said and "Traceback" not in said
    taken = project.mlcore("search", "--take-best").stderr
    assert "stopped: the best of what was done is taken" in taken
    best = project.read("out/search/best.json")
    whole = json.loads(project.read("out/search/trials.json"))
    assert 2 < len(whole["trials"]) < 30 and whole["stopped"]
    project.mlcore("run")
    assert project.read("out/search/best.json") == best
    assert json.loads(project.read("out/train/model.json"))["best"] == json.loads(best)
    assert "no search was cut short here" in project.mlcore("search", "--take-best", code=2).stderr


def test_there_must_be_something_to_take(tmp_path):
    with pytest.raises(ValueError, match="no search was cut short here .*`mlcore search` runs one"):
        take_best(tmp_path)
    opened(tmp_path, {}).close()
    with pytest.raises(ValueError, match="cut short before anything was finished; run it again"):
        take_best(tmp_path)


def test_the_rise_of_the_best_is_drawn(monkeypatch):
    assert spark([0.0, 0.5, 1.0]) == "\u2581\u2584\u2588" and spark([2.0]) == "\u2581" and spark([]) == ""
    assert len(spark(list(range(1000)))) == 20 and spark([float("nan"), 1.0]) == "\u2581"
    drawn = []

    class Bar:
        def add_task(self, what, total):
            drawn.append(what)

        def update(self, task, **what):
            drawn.append(what)

        def start(self):
            drawn.append("start")

        def stop(self):
            drawn.append("stop")

    monkeypatch.setattr(progress, "_bar", Bar)
    board = progress.Board("search")
    board.show(1, 60, [0.5])
    assert drawn == []  # nobody watches
    board.live, board.began = True, board.began - 10
    board.show(3, 60, [0.5, 0.75])
    board.close()
    words = {"completed": 3, "total": 60, "description": "search  best 0.75 \u2581\u2588"}
    assert drawn == ["search", "start", words, "stop"]
