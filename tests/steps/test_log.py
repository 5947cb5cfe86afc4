"""What `log` hands to the tracker, and what happens when the tracker is away."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import laid_out
import pytest
import yaml
from laid_out import GIT, write_lock, write_outputs, write_params

from ml_core.steps.log import failed, log
from ml_core.tracking import pending
from ml_core.tracking.run import Run, RunRefused, TrackerDown

alone, toy = laid_out.alone, laid_out.toy  # the fixtures of tests/tracking


@dataclass
class Ledger:
    """A tracker that keeps what it is given, or is away, or refuses some."""

    given: list[Run] = field(default_factory=list)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    away: bool = False
    refused: tuple = ()

    def record(self, run):
        if self.away:
            raise TrackerDown("MLflow is unreachable (Connection refused at http://127.0.0.1:9)")
        if run.receipt in self.refused:
            raise RunRefused("MLflow refused (too much)")
        if run.receipt not in self.files:
            self.given.append(run)
            self.files[run.receipt] = {name: path.read_bytes() for name, path in run.artifacts.items()}
        return f"id-{run.receipt[:4]}"


def log_once(tracking):
    out = Path("out/.log")
    out.mkdir(exist_ok=True)
    outcome = log(out, tracking)
    return outcome, (out / "receipt.json").read_bytes()


def test_everything_the_steps_left_is_in_the_run(toy):
    ledger = Ledger()
    outcome, receipt = log_once(ledger)
    (run,) = ledger.given
    assert outcome.notes == {"run_id": f"id-{run.receipt[:4]}", "message": ""}
    assert run.status == "FINISHED"
    assert run.params["model.estimator.C"] == "1.0" and run.params["best.C"] == "1"
    assert run.params["search.scoring"] == "null" and run.params["model.space.C"] == "[1]"
    assert run.metrics["evaluate/auc"] == 0.93 and run.metrics["prepare/rows.train"] == 30
    assert (
        run.tags["git.dirty"] == "false"
        and len(run.tags["git.sha"]) == 40
        and run.tags["git.branch"] == "main"
    )
    assert (
        run.tags["data.md5"] == "c1" * 16
        and run.tags["model"] == "Logistic"
        and run.tags["task"] == "classification"
    )
    assert len(run.tags["lock"]) == 64 and run.tags["env.python"].startswith("3.")
    assert (run.dataset.name, run.dataset.md5, run.dataset.rows) == ("toy", "c1" * 16, 40)
    assert [entry["step"] for entry in run.journal] == [
        "ingest",
        "prepare",
        "search",
        "train",
        "evaluate",
        "explain",
    ]
    assert run.ended - run.started == 18_000  # half a second, 1.5, 2.5 ... of six steps
    wanted = {"params.yaml", "dvc.lock", "requirements.lock", "journal.json", "report.html", "trials.json"}
    wanted |= {"evaluate/metrics.json", "evaluate/plots/roc.png", "prepare/quality.html", "search/best.json"}
    assert wanted <= set(run.artifacts)
    assert json.loads(receipt)["receipt"] == run.receipt


def test_neither_rows_nor_the_model_lie_among_the_files(toy):
    ledger = Ledger()
    log_once(ledger)
    names = {Path(name).name for name in ledger.given[0].artifacts}
    assert not names & {"table.parquet", "train.parquet", "test.parquet", "model.skops"}


def test_the_model_says_what_a_caller_hands_it(toy):
    ledger = Ledger()
    log_once(ledger)
    model = ledger.given[0].model
    assert model.inputs == {
        "age": "long", "income": "double", "city": "string",
        "member": "boolean", "gaps": "double", "since": "datetime",
    }  # fmt: skip
    assert model.example[0] == {
        "age": 31, "income": 1.5, "city": "a", "member": True, "gaps": 1, "since": "2020-01-01",
    }  # fmt: skip
    assert model.output == "string"
    assert model.requirements == ["numpy==2.4.0", "polars==2.1.0"]


def test_trials_are_a_table_for_mlflows_page_without_nan(toy):
    ledger = Ledger()
    log_once(ledger)
    table = json.loads(ledger.files[ledger.given[0].receipt]["trials.json"])
    assert table == {
        "columns": ["C", "score", "folds"],
        "data": [[1, 0.9, "[0.8, 1.0]"], [2, None, "[0.7, 0.9]"]],
    }


def test_the_receipt_is_the_same_for_the_same_and_another_for_another(toy):
    first = log_once(Ledger())[1]
    write_lock(toy)  # another md5 of out/log in it
    (toy / ".mlcore/journal/train.json").write_text('{"step": "train", "seconds": 99, "started": 1e9}')
    assert log_once(Ledger())[1] == first
    write_params(toy, seed=1)
    other = log_once(Ledger())[1]
    assert other != first
    write_params(toy)
    (toy / "out/evaluate/metrics.json").write_text('{"auc": 0.94}')
    assert log_once(Ledger())[1] not in (first, other)


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


def test_no_secret_reaches_the_run(toy):
    data = {
        "_target_": "ml_core.data.sql.Sql",
        "url": "postgresql://me:geheim@db/x",
        "password": "geheim",
        "path": "x",
        "max_tokens": 7,
    }
    write_params(toy, data=data)
    ledger = Ledger()
    log_once(ledger)
    failed(ledger, "ingest", "cannot reach postgresql://me:geheim@db/x")
    for run in ledger.given:
        assert "geheim" not in str(run)
        assert not any(b"geheim" in content for content in ledger.files[run.receipt].values())
    assert ledger.given[0].params["data.url"] == "postgresql://***@db/x"
    assert ledger.given[0].params["data.max_tokens"] == "7"
    assert ledger.given[0].tags["code.patch"] == "not kept: it seems to hold a secret"


def test_uncommitted_code_goes_along_and_what_every_run_writes_is_no_news(toy):
    write_params(toy, seed=3)
    ledger = Ledger()
    log_once(ledger)
    assert ledger.given[0].tags["git.dirty"] == "false"
    (toy / "code.py").write_text("print('changed')\n")
    (toy / "new.py").write_text("x = 1\n")
    (toy / "rows.csv").write_text("a,b\n" * 9)
    write_params(toy, seed=4)
    log_once(ledger)
    run = ledger.given[1]
    assert run.tags["git.dirty"] == "true" and run.tags["git.changed"] == "code.py new.py rows.csv"
    patch = ledger.files[run.receipt]["code.patch"].decode()
    assert "+print('changed')" in patch and "+x = 1" in patch and "a,b" not in patch
    status = subprocess.run(
        ["git", "status", "--porcelain"], capture_output=True, text=True, check=True
    ).stdout
    assert "?? new.py" in status  # the user's own index was not touched


def test_no_git_no_lock_and_no_journal_are_no_obstacle(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path)
    write_outputs(tmp_path / "out")
    ledger = Ledger()
    log_once(ledger)
    run = ledger.given[0]
    assert run.tags["git.sha"] == "none" and run.journal == [] and "dvc.lock" not in run.artifacts
    assert len(run.dataset.md5) == 32 and run.model.requirements[0].startswith("numpy==")


def test_hydras_jobs_have_their_own_params_and_no_lock(toy):
    job = toy / "multirun" / "0"
    write_outputs(job / "out")
    (job / "params.yaml").write_text((toy / "params.yaml").read_text().replace("seed: 0", "seed: 7"))
    (job / "out" / ".log").mkdir()
    ledger = Ledger()
    log(job / "out" / ".log", ledger)
    assert ledger.given[0].params["seed"] == "7" and "dvc.lock" not in ledger.given[0].artifacts


def test_a_queued_experiment_reports_to_the_checkout_it_came_from(toy, tmp_path, monkeypatch):
    copy = tmp_path / "exp" / "tmp1"
    copy.mkdir(parents=True)
    monkeypatch.setenv("DVC_ROOT", str(toy))
    monkeypatch.setenv("DVC_EXP_NAME", "puffy-daks")
    monkeypatch.chdir(copy)
    write_params(copy)
    write_outputs(copy / "out")
    log_once(Ledger(away=True))
    (bundle,) = pending.waiting()
    assert bundle.is_relative_to(toy)
    assert json.loads((bundle / "run.json").read_text())["name"] == "puffy-daks"


def test_the_log_step_leaves_no_file_behind_but_its_own(toy):
    before = {path for path in toy.rglob("*") if ".git" not in path.parts}
    log_once(Ledger())
    after = {path for path in toy.rglob("*") if ".git" not in path.parts}
    names = {str(path.relative_to(toy)) for path in after - before}
    assert names == {"out/.log", "out/.log/receipt.json", ".mlcore/runs.jsonl"}


def test_params_go_along_to_the_letter(toy):
    (toy / "params.yaml").write_text("# by hand\nseed:   0\n")
    ledger = Ledger()
    log_once(ledger)
    assert ledger.files[ledger.given[0].receipt]["params.yaml"] == b"# by hand\nseed:   0\n"
    lock = yaml.safe_load(ledger.files[ledger.given[0].receipt]["dvc.lock"])
    assert list(lock["stages"]) == ["ingest", "train"]


def test_a_status_that_is_none_is_refused():
    with pytest.raises(ValueError, match="must be one of FINISHED, FAILED, KILLED.*got 'DONE'"):
        Run("a", status="DONE")


def test_git_is_told_to_touch_nothing(toy):
    index = (toy / ".git/index").read_bytes()
    (toy / "code.py").write_text("print('changed')\n")
    log_once(Ledger())
    assert (toy / ".git/index").read_bytes() == index
    assert subprocess.run([*GIT, "fsck", "--no-dangling"], capture_output=True).returncode == 0
