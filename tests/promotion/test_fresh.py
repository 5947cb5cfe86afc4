"""The registered model in a process of its own, by the path that serves it: what it refuses, and how."""

import shutil
import time
from dataclasses import replace

import fitted
import laid_out
import numpy as np
import polars as pl
import pytest
import yaml
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC

from ml_core.data.table import features_and_target
from ml_core.gates.packaged import Packaged, Served
from ml_core.measure.predictions import predict
from ml_core.models import file
from ml_core.outcome import CheckFailed
from ml_core.promotion import fresh as module
from ml_core.promotion.fresh import Fresh
from ml_core.tracking.mlflow import Mlflow
from ml_core.tracking.run import Model

empty_store = laid_out.empty_store
TYPES = {"numeric": "double", "categorical": "string", "boolean": "boolean"}


@pytest.fixture(scope="module")
def fresh():
    """One process for all: it takes as many requests as one likes."""
    with Fresh() as process:
        yield process


@pytest.fixture(scope="module")
def keep(tmp_path_factory, empty_store):
    """keep(estimator, task): MLflow's folder of its model, a parquet file of rows, what it says offline."""
    place = tmp_path_factory.mktemp("kept")
    shutil.copy(empty_store, place / "mlflow.db")
    tracker, made = Mlflow(f"sqlite:///{place}/mlflow.db"), {}

    def keep(estimator, task="classification"):
        name = type(estimator).__name__
        if name not in made:
            table = fitted.table_of(task, 80)
            work = place / name
            model = fitted.lay_out(work, table, estimator)
            inputs = {column: TYPES[kind] for column, kind in table.kinds.items()}
            known = Model(
                work / "train" / "model.skops", inputs, [], "double" if task == "regression" else "string"
            )
            run_id = tracker.record(laid_out.make_run(work / "run", receipt=name, model=known))
            test = replace(table, frame=pl.scan_parquet(work / "prepare" / "test.parquet"))
            X, y, _ = features_and_target(test)
            says = predict(model, X, y, test, "yes" if task == "classification" else None)
            folder = tracker.fetch(run_id, "model", work / "served")
            made[name] = folder, work / "prepare" / "test.parquet", says, table.features, model
        return made[name]

    return keep


@pytest.fixture
def whole(keep, tmp_path):
    """A folder of a classifier to harm, and all else that a comparison takes."""
    folder, rows, says, features, model = keep(LogisticRegression())
    shutil.copytree(folder, tmp_path / "model")
    return tmp_path / "model", rows, says, features, model


def ask(fresh, folder, rows, says, features, model):
    return fresh.compare(folder, rows, features, says, lambda: model)


KINDS = [(LogisticRegression(), "classification"), (LinearSVC(), "classification"), (Ridge(), "regression")]


@pytest.mark.parametrize(("estimator", "task"), KINDS, ids=lambda value: type(value).__name__)
def test_what_was_recorded_is_served_bit_for_bit_and_bad_rows_are_refused(fresh, keep, estimator, task):
    assert ask(fresh, *keep(estimator, task)) == Served(40)


def test_one_bit_in_one_probability_is_found(fresh, whole):
    folder, rows, says, features, model = whole
    score = says.score.copy()
    score[7, 1] = np.nextafter(score[7, 1], 2)
    found = ask(fresh, folder, rows, replace(says, score=score, probability=score), features, model)
    assert found.differing == 1 and 0 < found.largest < 1e-15
    assert found.first.startswith("row 7: predict ") and "predict_proba" in found.first
    verdict = Packaged()(duel_with(found))
    assert not verdict.passed and "1 of 40 rows are answered otherwise" in verdict.reason
    assert "row 7" in verdict.reason and Packaged(differing=1)(duel_with(found)).passed


def test_other_labels_and_other_numbers_are_found(fresh, whole, keep):
    folder, rows, says, features, model = whole
    answer = says.answer.copy()
    answer[[3, 9]] = 1 - answer[[3, 9]]
    assert ask(fresh, folder, rows, replace(says, answer=answer), features, model).differing == 2
    folder, rows, says, features, model = keep(Ridge(), "regression")
    found = ask(fresh, folder, rows, replace(says, answer=says.answer + 0.5), features, model)
    assert found.differing == 40 and found.largest == pytest.approx(0.5)


def duel_with(found):
    """As much of a duel as the gate looks at."""
    return type("Duel", (), {"evidence": {"packaged": lambda: {"test": found}}})


def test_a_signature_that_lets_a_bad_column_pass_is_a_no():
    verdict = Packaged()(duel_with(Served(9, taken={"missing": "age", "wrongly typed": "income"})))
    assert not verdict.passed
    for said in ("a missing column pass (age)", "a wrongly typed column pass (income)"):
        assert f"; the signature lets {said}" in verdict.reason


def change(folder, act):
    known = yaml.safe_load((folder / "MLmodel").read_text())
    act(known)
    (folder / "MLmodel").write_text(yaml.safe_dump(known))


def none_required(known):
    text = known["signature"]["inputs"]
    known["signature"]["inputs"] = text.replace('"required": true', '"required": false')


def numbers_as_text(known):
    known["signature"]["inputs"] = known["signature"]["inputs"].replace('"double"', '"string"')


def no_inputs(known):
    known["signature"]["inputs"] = None


@pytest.mark.parametrize(
    ("act", "taken"),
    [
        (none_required, {"missing"}),
        (no_inputs, {"missing", "wrongly typed"}),
    ],
)
def test_a_signature_that_is_not_strict_is_found_out(fresh, whole, act, taken):
    change(whole[0], act)
    found = ask(fresh, *whole)
    assert set(found.taken) == taken and not Packaged()(duel_with(found)).passed


def without_signature(known):
    del known["signature"]


@pytest.mark.parametrize("act", [without_signature, numbers_as_text])
def test_a_model_whose_signature_does_not_fit_is_a_refusal(fresh, whole, act):
    change(whole[0], act)
    with pytest.raises(CheckFailed, match="signature|does not load or predict"):
        ask(fresh, *whole)


def another_loader(known):
    known["flavors"]["python_function"]["loader_module"] = "os"


def with_code(known):
    known["flavors"]["python_function"]["code"] = "code"


def another_flavor(known):
    known["flavors"]["sklearn"] = {"pickled_model": "model.pkl"}


@pytest.mark.parametrize("act", [another_loader, with_code, another_flavor])
def test_a_model_that_would_run_other_code_is_not_loaded(fresh, whole, act):
    change(whole[0], act)
    with pytest.raises(CheckFailed, match="does not load or predict .*it was changed, or made elsewhere"):
        ask(fresh, *whole)


def gone(folder):
    shutil.rmtree(folder)


def no_file(folder):
    (folder / "data" / "model.skops").unlink()


def cut(folder):
    path = folder / "data" / "model.skops"
    path.write_bytes(path.read_bytes()[:-200])


def tampered(folder):
    path = folder / "data" / "model.skops"
    path.write_bytes(path.read_bytes().replace(b"sklearn.linear_model", b"sklearn.linear_mudel"))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (gone, "FileNotFoundError"),
        (no_file, "model.skops: there is no model file"),
        (cut, "not a model file, or cut or changed"),
        (tampered, "model.skops: "),
    ],
)
def test_a_model_that_is_not_whole_is_a_refusal_and_the_process_goes_on(fresh, whole, harm, said):
    harm(whole[0])
    with pytest.raises(CheckFailed, match=f"does not load or predict in a fresh process: .*{said}"):
        ask(fresh, *whole)


def test_after_every_refusal_the_same_process_still_answers(fresh, whole):
    with pytest.raises(CheckFailed, match="ColumnNotFoundError"):
        ask(fresh, *whole[:3], ["age", "height"], whole[4])
    assert ask(fresh, *whole) == Served(40)


def test_other_rows_than_were_judged_are_told(fresh, whole):
    folder, rows, says, features, model = whole
    with pytest.raises(CheckFailed, match="the serving path knows 40 rows, the offline predictions 39"):
        ask(fresh, folder, rows, says.take(np.arange(39)), features, model)


def test_a_process_that_was_killed_is_a_refusal(whole):
    with Fresh() as fresh:
        fresh.process.kill()
        fresh.process.wait()
        for _ in range(2):
            with pytest.raises(CheckFailed, match="ended early: it said nothing"):
                ask(fresh, *whole)


def test_a_process_that_cannot_start_says_why(whole, monkeypatch, tmp_path):
    (tmp_path / "mlflow.py").write_text("raise ImportError('this mlflow is broken')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with (
        Fresh() as fresh,
        pytest.raises(CheckFailed, match="ended early: ImportError: this mlflow is broken"),
    ):
        ask(fresh, *whole)


def test_a_process_that_takes_too_long_is_given_up_for_good(whole, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0.01)
    began = time.monotonic()
    with Fresh() as fresh:
        with pytest.raises(CheckFailed, match="gave no answer in 0.01 s"):
            ask(fresh, *whole)
        monkeypatch.undo()
        with pytest.raises(CheckFailed, match="ended early"):  # no late answer is taken for another's
            ask(fresh, *whole)
    assert time.monotonic() - began < 60


def test_a_closed_process_is_gone():
    fresh = Fresh()
    fresh.close()
    assert fresh.process.poll() is not None


def test_loading_leaves_nothing_trusted_behind():
    assert file._trusted.get() == ()
