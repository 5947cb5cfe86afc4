"""Logging while the tracker is away: bundles, what is sent later, and failed steps."""

import laid_out
from laid_out import write_outputs, write_params
from ledger import Ledger, log_once

from ml_core.steps.log import failed
from ml_core.tracking import pending

alone, toy = laid_out.alone, laid_out.toy  # the fixtures of tests/tracking


def test_a_tracker_that_is_away_gets_the_run_later_with_all_its_files(toy):
    outcome, _ = log_once(Ledger(away=True))
    message = outcome.notes["message"]
    assert "MLflow is unreachable (Connection refused" in message
    assert "the run is kept in .mlcore/pending; `mlcore log` sends it" in message
    assert outcome.notes["run_id"] is None
    (kept,) = pending.waiting()
    write_outputs(toy / "out")
    (toy / "out/explain/report.html").write_text("another report by now")
    ledger = Ledger()
    assert pending.send_pending(ledger) == [f"id-{kept.name[:4]}"]
    assert ledger.files[kept.name]["report.html"] == b"<h1>report</h1>"
    assert ledger.given[0].model.path.name == "model.skops"
    assert pending.waiting() == []
    assert pending.recorded(kept.name) == f"id-{kept.name[:4]}"


def test_the_next_log_sends_what_waits(toy):
    log_once(Ledger(away=True))
    write_params(toy, seed=1)
    ledger = Ledger()
    outcome, _ = log_once(ledger)
    assert len(ledger.given) == 2 and pending.waiting() == []
    assert outcome.notes["message"] == "1 runs kept while the tracker was away are recorded now"


def test_a_run_that_is_refused_holds_up_no_other(toy):
    log_once(Ledger(away=True))
    (poison,) = pending.waiting()
    write_params(toy, seed=1)
    log_once(Ledger(away=True))
    write_params(toy, seed=2)
    ledger = Ledger(refused=(poison.name,))
    outcome, _ = log_once(ledger)
    assert len(ledger.given) == 2 and pending.waiting() == [poison]
    assert outcome.notes["message"].startswith("MLflow refused (too much): 1 earlier runs stay")


def test_logging_while_away_twice_keeps_one_bundle_and_sending_twice_one_run(toy):
    log_once(Ledger(away=True))
    log_once(Ledger(away=True))
    assert len(pending.waiting()) == 1
    ledger = Ledger()
    pending.send_pending(ledger)
    log_once(ledger)
    assert len(ledger.given) == 1


def test_half_a_bundle_is_no_bundle(toy):
    log_once(Ledger(away=True))
    half = toy / ".mlcore/pending/.new-xyz"
    half.mkdir()
    (half / "run.json").write_text("{")
    assert len(pending.send_pending(Ledger())) == 1
    assert pending.send_pending(Ledger()) == []


def test_a_failed_step_is_a_failed_run_with_its_report(toy):
    report = toy / ".mlcore/failed/prepare"
    report.mkdir(parents=True)
    (report / "quality.html").write_text("<h1>broken rules</h1>")
    ledger = Ledger()
    assert failed(ledger, "prepare", "toy.csv: no column 'y'") is not None
    (run,) = ledger.given
    assert (run.status, run.message) == ("FAILED", "prepare: toy.csv: no column 'y'")
    assert run.params["seed"] == "0" and run.tags["failed.step"] == "prepare"
    assert ledger.files[run.receipt]["failed/quality.html"] == b"<h1>broken rules</h1>"
    assert run.model is None


def test_failing_to_tell_of_a_failure_raises_nothing(toy):
    assert failed(Ledger(away=True), "train", "boom") is None
    assert len(pending.waiting()) == 1
    (toy / "params.yaml").write_text("{ broken")
    assert failed(Ledger(), "train", "boom") is None
