"""The commands about the champion: what a user gets wrong is a line and exit code 2, before any work."""

from pathlib import Path

import pytest
import yaml
from closure import ROOT

from ml_core.cli.commands import run_app


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder with the committed params, for a tracker without a registry."""
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "allowed.yaml").write_bytes((ROOT / "conf" / "allowed.yaml").read_bytes())
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    write(params | {"tracking": {"_target_": "ml_core.tracking.memory.Memory"}})
    return params


def write(params):
    Path("params.yaml").write_text(yaml.safe_dump(params))


@pytest.mark.parametrize(
    "words", [["promote"], ["rollback", "--reason", "x"], ["history"], ["gc"]], ids=lambda words: words[0]
)
def test_no_registry_is_a_mistake(checkout, capsys, words):
    assert run_app(words) == 2
    said = capsys.readouterr().err
    assert "tracking=memory has no registry, so nothing can be promoted; type `mlcore compose" in said
    assert said.count("\n") == 1


def test_a_report_of_another_kind_is_a_mistake(checkout, capsys):
    assert run_app(["promote", "--report", "report.pdf"]) == 2
    assert "--report report.pdf: a report ends with .md" in capsys.readouterr().err


def test_an_unknown_key_of_a_gate_or_of_promote_is_a_mistake(checkout, capsys):
    tracking = {"tracking": {"_target_": "ml_core.tracking.mlflow.Mlflow"}}
    better = checkout["gate"]["better"] | {"strange": 1}
    strange = {"gate": checkout["gate"] | {"better": better}, "promote": checkout["promote"] | {"strange": 1}}
    for section, node in strange.items():
        write(checkout | tracking | {section: node})
        assert run_app(["promote"]) == 2
        assert "takes no 'strange'" in capsys.readouterr().err


def test_a_rollback_needs_a_reason(checkout, capsys):
    assert run_app(["rollback"]) == 2
    assert run_app(["rollback", "--reason", " "]) == 2
    assert "a rollback needs a reason" in capsys.readouterr().err
