"""`mlcore run` and `dvc repro` are one recipe: same lock, same skips, at any moment."""

import inspect
import json
import shutil
import signal
import sys

import pytest
from project import Project


def what(project, *words):
    """Stage -> ran, restored or unchanged, of one `mlcore run`."""
    said = json.loads(project.mlcore("run", "--json", *words).stdout)
    return {name: entry["what"] for name, entry in said["stages"].items()}


def results(project):
    """Everything a run leaves that must not depend on who ran it."""
    files = sorted(path for path in (project.folder / "out").rglob("*") if path.is_file())
    return {str(path.relative_to(project.folder)): path.read_bytes() for path in files} | {
        "lock": project.read("dvc.lock")
    }


def test_the_seam_in_dvc_is_where_we_need_it():
    from dvc.stage import run

    assert list(inspect.signature(run._run).parameters) == ["executable", "cmd", "kwargs"]
    assert "_run(executable, cmd, **kwargs)" in inspect.getsource(run.cmd_run)


def test_without_the_seam_each_stage_gets_its_process_and_that_is_said(monkeypatch, caplog):
    from dvc.stage import run

    from ml_core.runner import in_process

    monkeypatch.delattr(run, "_run")
    with in_process(lambda name: None, lambda name: None) as replaced:
        assert replaced is False
    assert "own process" in caplog.text


def test_a_second_run_does_nothing_and_dvc_agrees(finished):
    assert set(what(finished).values()) == {"unchanged"}
    assert "up to date" in finished.dvc("status").stdout
    before = results(finished)
    finished.dvc("repro")
    assert results(finished) == before


def test_restore_brings_back_what_was_made_before_and_runs_nothing(finished):
    before = results(finished)
    shutil.rmtree(finished.folder / "out")
    assert set(what(finished, "--restore").values()) == {"restored"}
    assert results(finished) == before
    finished.mlcore("compose", "model=gaussian_nb")
    shutil.rmtree(finished.folder / "out")
    happened = what(finished, "--restore")
    assert {name for name, did in happened.items() if did == "restored"} == {"ingest", "prepare"}
    assert set(happened.values()) == {"restored", "stale"}
    assert not (finished.folder / "out/search").exists()
    assert "stale" in finished.mlcore("run", "--restore").stdout, "nothing was remembered as up to date"


def test_dvc_repro_gives_the_same_lock_and_the_same_bytes(finished, tmp_path):
    """A process a stage, from nothing, in another folder: nothing differs but who did it."""
    finished.git("clone", "-q", str(finished.folder), str(tmp_path / "another folder, ä"))
    other = Project(tmp_path / "another folder, ä")
    other.dvc("repro")
    ours, theirs = results(finished), results(other)
    assert set(ours) == set(theirs)
    assert [name for name in ours if ours[name] != theirs[name]] == []
    assert set(what(other).values()) == {"unchanged"}


def test_the_two_may_take_turns(finished):
    """Each goes on where the other stopped, and what was computed once is restored, not computed again."""
    first = results(finished)
    finished.mlcore("compose", "search.folds.n=4")
    finished.dvc("repro", "search")
    assert what(finished)["search"] == "unchanged"
    assert results(finished) != first
    finished.mlcore("compose")
    assert "ran" not in what(finished).values()
    assert results(finished) == first


def test_a_lost_output_is_restored_and_a_forced_run_changes_nothing(finished):
    first = results(finished)
    shutil.rmtree(finished.folder / "out")
    assert set(what(finished).values()) == {"restored"}
    assert results(finished) == first
    assert set(what(finished, "--force").values()) == {"ran"}
    assert results(finished) == first


def test_one_stage_brings_only_its_inputs_up_to_date(project):
    happened = what(project, "prepare")
    assert happened == {"ingest": "ran", "prepare": "ran"}


def test_a_command_that_is_not_ours_still_gets_its_shell(finished):
    extra = "stages:\n  extra:\n    cmd: echo $((40 + 2)) > out/extra.txt\n    outs: [out/extra.txt]\n"
    recipe = finished.read("dvc.yaml").replace("stages:\n", extra)
    finished.write("dvc.yaml", recipe)
    assert what(finished)["extra"] == "ran"
    assert finished.read("out/extra.txt") == "42\n"


def test_params_edited_by_hand_stop_the_run_with_the_words_to_type(finished):
    finished.write("params.yaml", finished.read("params.yaml").replace("seed: 0", "seed: 1"))
    said = finished.mlcore("run", code=2).stderr
    assert "mlcore compose" in said and len(said.splitlines()) <= 2
    diff = finished.mlcore("compose", "--check", code=1).stdout
    assert "-seed: 1" in diff and "+seed: 0" in diff


def test_one_and_two_threads_give_the_same_bytes(finished):
    before = results(finished)
    finished.mlcore(
        "run", "--force", OMP_NUM_THREADS="1", POLARS_MAX_THREADS="1", NUMBA_NUM_THREADS="1", MLCORE_JOBS="1"
    )
    assert results(finished) == before


def test_a_lock_cut_short_is_healed(finished):
    whole = finished.read("dvc.lock")
    finished.write("dvc.lock", whole[: len(whole) // 2])
    assert "ran" not in what(finished).values()
    assert finished.read("dvc.lock") == whole


def test_a_torn_table_of_users_is_dropped(finished):
    """A kill while DVC writes who uses what leaves half a file, at which `dvc repro` gives up."""
    (finished.folder / ".dvc/tmp/rwlock").write_text('{"write": {"out/in')
    assert set(what(finished, "--force", "ingest").values()) == {"ran"}
    finished.dvc("repro")


def test_an_interrupt_ends_a_step_at_once():
    from ml_core.runner import Interrupts

    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        interrupts.heard(lambda name: signal.raise_signal(signal.SIGINT))("train")
        pytest.fail("went on")


def test_an_interrupt_between_steps_waits_for_the_next_and_a_second_does_not(capfd):
    from ml_core.runner import Interrupts

    before, done = signal.getsignal(signal.SIGINT), []
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        signal.raise_signal(signal.SIGINT)
        done.append("books")
        interrupts.heard(done.append)("train")
    assert done == ["books"] and "once more" in capfd.readouterr().err
    with pytest.raises(KeyboardInterrupt), Interrupts():
        signal.raise_signal(signal.SIGINT)
        done.append("end of books")
    with pytest.raises(KeyboardInterrupt), Interrupts():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append("never")
    assert done == ["books", "end of books"] and signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(sys.platform == "win32", reason="the lock between two runs is a flock")
def test_two_runs_at_once_in_one_checkout(finished):
    import fcntl

    with open(finished.folder / ".mlcore/run.lock", "a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        said = finished.mlcore("run", code=2).stderr
    assert "another `mlcore run`" in said and len(said.splitlines()) == 1
    assert set(what(finished).values()) == {"unchanged"}
