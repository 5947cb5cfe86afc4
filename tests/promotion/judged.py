"""A checkout with a shelf of runs, and the reason why one of them was refused."""

import pytest
from world import World

from ml_core.gates.better import Better
from ml_core.promotion import history
from ml_core.report import document

NONINFERIOR = Better(test="noninferior", margin=0.05)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A checkout of its own; reports are not drawn, for they have tests of theirs."""
    monkeypatch.chdir(tmp_path)

    def plain(made, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made.lead)
        path.with_suffix(".html").write_text(made.lead)

    monkeypatch.setattr(document, "write", plain)
    return World(tmp_path)


def refusal(world, decision):
    """The reason of the one gate that said no; nothing moved."""
    assert decision.what == "refused" and not decision.good
    assert world.shelf.alias["champion"] == "1" and len(history.read(world.shelf).entries) == 1
    assert world.shelf.alias.get("challenger") == decision.version
    (failed,) = [verdict for verdict in decision.verdicts if not verdict.passed]
    return failed.reason


def break_model(world):
    (world.root / "store/one/model/data/model.skops").unlink()
