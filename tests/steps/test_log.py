"""What `log` hands to the tracker, and what happens when the tracker is away."""

import json
import subprocess
from pathlib import Path

import laid_out
import pytest
import yaml
from laid_out import GIT, write_lock, write_outputs, write_params
from ledger import Ledger, log_once

from ml_core.steps.log import failed, log
from ml_core.tracking import pending
from ml_core.tracking.run import Run

alone, toy = laid_out.alone, laid_out.toy  # the fixtures of tests/tracking


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
