"""Where a run came from, the same checkout again, and the first thing that differs."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import laid_out
import pytest
import yaml
from laid_out import GIT, write_lock, write_outputs, write_params

from ml_core.steps.log import log
from ml_core.tracking import lineage, trace
from ml_core.tracking.memory import Memory
from ml_core.tracking.run import Run

alone, toy = laid_out.alone, laid_out.toy


@pytest.fixture
def recorded(toy):
    """A run from changed, uncommitted code, with data outside the checkout."""
    (toy.parent / "toy.csv").write_text("a,b\n1,2\n")
    (toy / "code.py").write_text("print('changed')\n")
    (toy / "new.yaml").write_text("x: 1\n")
    write_params(toy, seed=5)
    return record()


def record():
    out = Path("out/.log")
    out.mkdir(exist_ok=True)
    return Memory().read(log(out, Memory()).notes["run_id"])


def test_a_trace_says_code_data_params_environment(recorded):
    found = trace.trace(recorded)
    assert len(found["code"]["sha"]) == 40 and found["code"]["dirty"] == "true" and found["code"]["patch"]
    assert found["code"]["changed"] == "code.py new.yaml"
    assert (found["data"]["name"], found["data"]["md5"], found["data"]["rows"]) == ("toy", "c1" * 16, 40)
    assert found["params"]["seed"] == "5"
    assert (
        found["environment"]["python"].startswith("3.")
        and len(found["environment"]["requirements.lock"]) == 64
    )
    assert [entry["step"] for entry in found["steps"]][0] == "ingest"
    assert found["repeatable"] == "yes"
    json.dumps(found)


def test_the_checkout_comes_back_as_it_was_uncommitted_code_and_outside_data_included(
    recorded, toy, tmp_path
):
    was = {name: (toy / name).read_bytes() for name in ("code.py", "new.yaml", "params.yaml", "dvc.lock")}
    (toy / "code.py").write_text("print('changed again')\n")
    (toy / "new.yaml").unlink()
    write_params(toy, seed=6)
    fresh = tmp_path / "again" / "project"
    trace.check_out(recorded, Memory(), toy, fresh)
    assert {name: (fresh / name).read_bytes() for name in was} == was
    assert (fresh / "../toy.csv").read_text() == "a,b\n1,2\n"
    assert (fresh / ".git/objects/info/alternates").exists()  # shared, not copied
    assert (toy / "code.py").read_text() == "print('changed again')\n"


def test_what_cannot_be_had_again_says_why(recorded, toy, tmp_path):
    def why(**changes):
        with pytest.raises(ValueError, match="cannot be had again") as caught:
            trace.check_out(replace(recorded, **changes), Memory(), toy, tmp_path / "again")
        return str(caught.value)

    assert "outside a git commit" in why(tags={"git.sha": "none"})
    files = {name: path for name, path in recorded.artifacts.items() if name != "code.patch"}
    tags = recorded.tags | {"code.patch": "not kept: it seems to hold a secret"}
    assert "uncommitted code, not kept: it seems to hold a secret" in why(artifacts=files, tags=tags)
    assert "left no dvc.lock" in why(status="FAILED")


def test_a_commit_that_is_gone_is_named(recorded, toy, tmp_path):
    gone = replace(recorded, tags=recorded.tags | {"git.sha": "1" * 40})
    with pytest.raises(ValueError, match="commit 1111.* is not in .*; fetch it from where it was pushed"):
        trace.check_out(gone, Memory(), toy, tmp_path / "again")


def test_data_two_folders_up_asks_for_a_folder_beside_the_checkout(toy, tmp_path):
    far = toy.parent / "deep" / "project"
    far.parent.mkdir()
    subprocess.run([*GIT, "clone", "-q", str(toy), str(far)], check=True)
    (toy.parent / "toy.csv").write_text("a\n")
    with pytest.raises(ValueError, match=r"\.\./\.\./toy\.csv cannot be reached.*--keep \.\./again"):
        trace._reach("../../toy.csv", far, tmp_path / "x" / "y" / "z")
    beside = far.parent / "again"
    beside.mkdir()
    trace._reach("../../toy.csv", far, beside)


def test_the_same_outputs_are_no_difference(recorded, toy, tmp_path):
    fresh = tmp_path / "again" / "project"
    trace.check_out(recorded, Memory(), toy, fresh)
    write_outputs(fresh / "out")
    write_lock(fresh)
    assert trace.first_difference(recorded, Memory(), fresh) == ""


def test_the_first_difference_names_stage_cause_file_line_and_packages(recorded, toy, tmp_path):
    fresh = tmp_path / "again" / "project"
    trace.check_out(recorded, Memory(), toy, fresh)
    write_outputs(fresh / "out")
    (fresh / "out/train/model.json").write_text('{"C": 2}')
    known = yaml.safe_load((fresh / "dvc.lock").read_text())
    known["stages"]["train"]["outs"][0]["md5"] = "dd" * 16 + ".dir"
    known["stages"]["train"]["params"] = {"params.yaml": {"model": {"C": 2}}}
    (fresh / "dvc.lock").write_text(yaml.safe_dump(known, sort_keys=False))
    older = replace(recorded, tags=recorded.tags | {"env.numpy": "1.0"})
    said = trace.first_difference(older, Memory(), fresh)
    assert said.startswith(f"stage train: out/train is {'dd' * 16}.dir, was {'bb' * 16}.dir")
    assert "an input differs: params.yaml: model" in said
    assert 'train/model.json differs in line 1: was {}, is {"C": 2}' in said
    assert said.endswith(f"packages differ: numpy {lineage.environment(fresh)['env.numpy']}, was 1.0")


def test_locks_are_compared_in_the_recipes_order():
    def lock(**outs):
        return {"stages": {name: {"outs": [{"path": name, "md5": md5}]} for name, md5 in outs.items()}}

    was = lock(ingest="1", train="2")
    assert trace.compare_locks(was, was) == ("", "")
    assert trace.compare_locks(was, lock(ingest="1", train="3"))[0] == "train"
    assert trace.compare_locks(was, lock(ingest="9", train="3"))[0] == "ingest"
    assert trace.compare_locks(was, lock(ingest="1")) == ("train", "did not run")
    assert trace.compare_locks(was, lock(ingest="1", train="2", extra="3")) == ("extra", "is new")
    assert (
        trace.compare_locks(was, lock(ingest="1", train="3"))[1]
        == "train is 3, was 2; its inputs are the same"
    )


def test_folders_are_compared_by_name_byte_and_line(tmp_path):
    for name in ("was", "now"):
        write_outputs(tmp_path / name)
        (tmp_path / name / "log").mkdir()
        (tmp_path / name / "log" / "receipt.json").write_text(name)
    was, now = tmp_path / "was", tmp_path / "now"
    assert trace.compare_folders(was, now) == ""
    (now / "train/model.json").write_text("{}\nmore")
    assert trace.compare_folders(was, now) == "train/model.json differs in length"
    (now / "evaluate/plots/roc.png").write_bytes((was / "evaluate/plots/roc.png").read_bytes()[:-1] + b"x")
    assert trace.compare_folders(was, now).startswith("evaluate/plots/roc.png differs from byte 6")
    (now / "evaluate.json").unlink()
    assert trace.compare_folders(was, now) == f"evaluate.json is only in {was}"


def test_git_speaks_of_renames_spaces_and_letters(toy):
    (toy / "ä b.py").write_text("x = 1\n")
    subprocess.run([*GIT, "mv", "code.py", "kode neu.py"], check=True)
    found = lineage.git(toy)
    assert found["git.dirty"] == "true" and found["git.changed"] == "kode neu.py ä b.py"
    subprocess.run([*GIT, "checkout", "-q", "--detach"], check=True)
    assert "git.branch" not in lineage.git(toy) and len(lineage.git(toy)["git.sha"]) == 40


def test_a_repository_without_a_commit_and_a_folder_without_a_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert lineage.git(tmp_path) == {"git.sha": "none", "git.dirty": "unknown"}
    assert lineage.patch(tmp_path) == (b"", "no git")
    subprocess.run([*GIT, "init", "-q"], check=True)
    assert lineage.git(tmp_path)["git.sha"] == "initial"
    assert lineage.patch(tmp_path)[1].startswith("no commit yet")
    assert trace.not_repeatable(Run("a", tags=lineage.git(tmp_path))) == "it ran outside a git commit"


def test_a_patch_too_large_is_not_kept(toy):
    (toy / "code.py").write_text("".join(f"line{i} = {os.urandom(20).hex()!r}\n" for i in range(30_000)))
    found, why = lineage.patch(toy)
    assert found == b"" and why.endswith("bytes, more than 1000000")


@pytest.mark.parametrize(
    "line",
    ["password = 'hunter2hunter'", "API_KEY: sk-1234567890", "url: postgres://me:pw@host/db",
     "-----BEGIN RSA PRIVATE KEY-----", '"token": "abcdefgh"'],
)  # fmt: skip
def test_a_patch_that_seems_to_hold_a_secret_is_not_kept(toy, line):
    (toy / "code.py").write_text(f"{line}\n")
    assert lineage.patch(toy) == (b"", "it seems to hold a secret")


@pytest.mark.parametrize(
    "line",
    ["password: null", "token = os.environ['TOKEN']", "max_tokens: 400000000", "api_key: ${oc.env:KEY}"],
)
def test_what_only_names_a_secret_is_kept(toy, line):
    (toy / "code.py").write_text(f"{line}\n")
    assert line.encode() in lineage.patch(toy)[0]


def test_requirements_are_what_the_lock_pins_for_this_machine(tmp_path):
    (tmp_path / "requirements.lock").write_text(
        "# head\nnumpy==2.4.0 \\\n    --hash=sha256:00\n"
        "colorama==0.4 ; sys_platform == 'win32' \\\n    --hash=sha256:11\n"
        "tzdata==2026.1 ; sys_platform != 'win32'\n"
    )  # fmt: skip
    assert lineage.requirements(tmp_path) == ["numpy==2.4.0", "tzdata==2026.1"]
