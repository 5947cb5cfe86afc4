"""The exam of every tracker: each file in conf/tracking takes it, and nothing else names them."""

import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import laid_out
import pytest
import yaml

from ml_core.cli.build import build
from ml_core.tracking.run import Run

alone, empty_store, make = laid_out.alone, laid_out.empty_store, laid_out.make

GUIDE = Path(__file__).parents[2] / "docs" / "add" / "tracker.md"
MENU = sorted((Path(__file__).parents[2] / "conf" / "tracking").glob("*.yaml"))


@pytest.fixture(params=[*MENU, GUIDE], ids=lambda path: path.stem)
def tracker(request, empty_store):
    shutil.copy(empty_store, "mlflow.db")
    if request.param == GUIDE:
        return example()
    return build(yaml.safe_load(request.param.read_text()), ["ml_core"], "tracking")


def example():
    """The tracker that the guide adds: a newcomer who types it passes."""
    (code,) = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.S | re.M)
    names = {"__name__": "example"}
    exec(compile(code, str(GUIDE), "exec"), names)
    Path("disk").mkdir()
    return names["Disk"]("disk")


def test_a_run_is_read_back_as_it_was(tracker, make):
    run = make()
    run_id = tracker.record(run)
    back = tracker.read(run_id)
    assert back.run_id == run_id
    for part in (
        "receipt",
        "name",
        "status",
        "message",
        "params",
        "metrics",
        "dataset",
        "journal",
        "started",
    ):
        assert getattr(back, part) == getattr(run, part), part
    assert back.tags.items() >= run.tags.items()
    assert set(back.artifacts) >= set(run.artifacts)
    assert back.model.uri and replace(back.model, uri="", path=None) == replace(run.model, path=None)


def test_the_same_receipt_is_the_same_run(tracker, make):
    run = make()
    assert tracker.record(run) == tracker.record(
        replace(run, ended=run.ended + 1, tags={"git.sha": "1" * 40})
    )
    assert len(tracker.runs(10)) == 1


def test_another_receipt_is_another_run_and_the_newest_comes_first(tracker, make):
    first = tracker.record(make())
    time.sleep(0.01)
    second = tracker.record(make(receipt="b" * 32, started=1_700_000_009_000))
    assert [run.run_id for run in tracker.runs(10)] == [second, first]
    assert [run.run_id for run in tracker.runs(1)] == [second]
    assert tracker.runs(10)[0].metrics == make().metrics


def test_a_failed_run_is_marked_failed(tracker):
    failed = Run("c" * 32, "toy", "FAILED", "prepare: no column 'y' in toy.csv", {"seed": "0"})
    back = tracker.read(tracker.record(failed))
    assert (back.status, back.message) == ("FAILED", failed.message)
    assert tracker.runs(1)[0].status == "FAILED"
    assert back.model is None and back.dataset is None


def test_files_are_fetched_byte_for_byte(tracker, make, tmp_path):
    run = make()
    run_id = tracker.record(run)
    for name, path in {**run.artifacts, "model.skops": run.model.path}.items():
        got = tracker.fetch(run_id, name, tmp_path / "got")
        assert got == tmp_path / "got" / name
        assert got.read_bytes() == path.read_bytes()


def test_a_file_that_is_not_there_is_named_beside_those_that_are(tracker, make, tmp_path):
    run_id = tracker.record(make())
    with pytest.raises(KeyError, match=r"no file 'plot\.gif'; it has .*report\.html"):
        tracker.fetch(run_id, "plot.gif", tmp_path / "got")


def test_no_name_leads_out_of_the_run(tracker, make, tmp_path):
    run_id = tracker.record(make())
    (tmp_path / "secret").write_text("mine")
    with pytest.raises(Exception, match="secret"):
        tracker.fetch(run_id, "../" * 9 + str(tmp_path / "secret").lstrip("/"), tmp_path / "got")


def test_the_first_letters_of_an_id_will_do_while_they_name_one_run(tracker, make):
    run_id = tracker.record(make())
    assert tracker.read(run_id[:6]).run_id == run_id
    with pytest.raises(KeyError, match="no runs .* called 'nothing'"):
        tracker.read("nothing")


def test_what_was_never_promoted_is_no_champion(tracker, make):
    assert tracker.champion("churn") is None
    tracker.record(make())
    assert tracker.champion("churn") is None


def test_odd_names_and_long_values_survive(tracker, make):
    params = {"rules.columns.capital-gain (%)": "x" * 9000, "a#b?c": "1", "a_b_c": "2", "größe": ""}
    metrics = {
        "evaluate/slice sex=Male, age>40/auc": 0.5,
        "evaluate/nan": float("nan"),
        "evaluate/inf": float("inf"),
    }
    back = tracker.read(tracker.record(make(params=params, metrics=metrics)))
    assert back.params == params
    assert str(back.metrics) == str(metrics)  # nan is not equal to itself


def test_a_thousand_params_and_metrics_go_in(tracker, make):
    params, metrics = {f"p{i}": "1" for i in range(1000)}, {f"evaluate/m{i}": float(i) for i in range(1100)}
    back = tracker.read(tracker.record(make(params=params, metrics=metrics)))
    assert (back.params, back.metrics) == (params, metrics)
    assert len(tracker.runs(1)[0].metrics) == 1100
