"""The CI files: true to their schemas, thin, pinned, of least rights; and what they call runs."""

import os
import re
import subprocess

import pytest
import yaml
from closure import ROOT
from project import environment

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
SCHEMAS = {path: "vendor.github-workflows" for path in WORKFLOWS}
SCHEMAS[ROOT / ".gitlab-ci.yml"] = "vendor.gitlab-ci"
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def workflow(path):
    """A workflow; yaml reads its key `on` as true."""
    known = yaml.safe_load(path.read_text())
    return {"on" if name is True else name: value for name, value in known.items()}


def steps():
    """(where, command) of everything that a CI file runs."""
    jobs = [
        (f"{path.name}:{name}", job) for path in WORKFLOWS for name, job in workflow(path)["jobs"].items()
    ]
    found = [(where, step["run"]) for where, job in jobs for step in job["steps"] if "run" in step]
    gitlab = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
    jobs = [(f"gitlab:{name}", job) for name, job in gitlab.items() if isinstance(job, dict)]
    parts = ("script", "after_script")
    return found + [(where, line) for where, job in jobs for part in parts for line in job.get(part, [])]


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_a_file_is_true_to_its_schema(path):
    words = ["check-jsonschema", "--builtin-schema", SCHEMAS[path], str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_broken_file_is_told(tmp_path):
    broken = tmp_path / "ci.yml"
    broken.write_text("on: push\njobs: {a: {runs-on: x, step: []}}\n")
    words = ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(broken)]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 1


def targets_of(command, name):
    """The make targets a command calls; `make "$TARGET"` stands for those of its matrix."""
    found = re.fullmatch(r'make ("\$TARGET"|[a-z-]+)', command)
    if not found:
        return None
    if found[1] != '"$TARGET"':
        return [found[1]]
    place, _, job = name.partition(":")
    if place == "gitlab":
        return yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())[job]["parallel"]["matrix"][0]["TARGET"]
    return workflow(ROOT / ".github/workflows" / place)["jobs"][job]["strategy"]["matrix"]["target"]


@pytest.mark.parametrize(("name", "command"), steps())
def test_a_step_is_a_make_target_that_is_there(name, command):
    if command == 'export BASE="$CI_MERGE_REQUEST_DIFF_BASE_SHA"':
        return
    found = targets_of(command, name)
    assert found, f"{name} runs {command!r}: call a make target, so that it runs on a laptop"
    assert set(found) <= TARGETS
    for target in found:
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and done.stdout, done.stderr
        for script in re.findall(r"\.ci/[a-z-]+", done.stdout):
            assert os.access(ROOT / script, os.X_OK)
            subprocess.run(["bash", "-n", ROOT / script], check=True)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_asks_for_little_and_pins_what_it_uses(path):
    known = workflow(path)
    assert known["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in known["on"]
    for name, job in known["jobs"].items():
        assert job["timeout-minutes"] <= 60
        rights = job.get("permissions", {})
        assert {right for right, level in rights.items() if level == "write"} <= {"pull-requests"}
        runs = [step["run"] for step in job["steps"] if "run" in step]
        # who may write runs nothing but the comment
        assert not rights or runs == ["make comment"], name
        for step in job["steps"]:
            assert "uses" not in step or re.fullmatch(r"actions/[a-z-]+@v\d+\.\d+\.\d+", step["uses"])
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_nothing_of_a_request_reaches_a_shell_but_by_a_variable(path):
    text = path.read_text()
    assert not any("${{" in command for _, command in steps())
    for script in (".ci/deliver", ".ci/report-change", ".ci/comment", ".ci/install", ".ci/run"):
        assert "eval " not in (ROOT / script).read_text()
    assert "secrets: inherit" not in text and "git push" not in text and "git commit" not in text


def test_what_a_bot_commits_starts_nothing():
    for path in WORKFLOWS:
        first = [job for job in workflow(path)["jobs"].values() if "needs" not in job]
        assert first and all("github.actor != 'github-actions[bot]'" in job["if"] for job in first)
    rules = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())["workflow"]["rules"]
    assert rules[0]["when"] == "never" and "bot" in rules[0]["if"]


def call(script, folder, **environment):
    known = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "CI"))}
    return subprocess.run(
        [ROOT / ".ci" / script],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=known | environment,
    )


def test_a_comment_is_printed_where_there_is_no_request(tmp_path):
    report = tmp_path / "report.md"
    report.write_text("# Title\n![ROC](plots/roc.png)\n$(touch pwned) `id`\n")
    done = call("comment", tmp_path, REPORT=str(report))
    assert done.returncode == 0 and done.stdout == "# Title\n$(touch pwned) `id`\n"
    assert "no report at" in call("comment", tmp_path, REPORT=str(tmp_path / "none.md")).stderr
    assert call("comment", tmp_path).returncode != 0


def fake(folder, name, body):
    """A command that tells what it was called with."""
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


def test_a_pull_request_gets_the_report_by_gh(tmp_path):
    fake(
        tmp_path,
        "gh",
        f'printf "%s\\n" "$*" >> {tmp_path}/calls; [ "$2" = comment ] && cat >> {tmp_path}/body; exit 0',
    )
    (tmp_path / "report.md").write_text("hello $HOME\n")
    words = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "a/b",
        "NUMBER": "7",
        "REPORT": f"{tmp_path}/report.md",
    }
    done = call("comment", tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}", **words)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "calls").read_text() == "pr comment 7 --repo a/b --edit-last --body-file -\n"
    assert (tmp_path / "body").read_text() == "hello $HOME\n"


@pytest.mark.parametrize(("code", "dry"), [(0, ""), (1, ""), (2, "1")])
def test_deliver_judges_this_run_and_ends_as_promote_does(tmp_path, code, dry):
    """Its own words, in a project whose mlcore and dvc only tell how they were called."""
    (tmp_path / ".ci").mkdir()
    (tmp_path / "out/log").mkdir(parents=True)
    (tmp_path / "out/log/receipt.json").write_text('{"receipt": "abc"}')
    (tmp_path / ".ci/deliver").write_text((ROOT / ".ci/deliver").read_text())
    (tmp_path / ".ci/deliver").chmod(0o755)
    told = 'printf "mlcore %s\\n" "$*" >> calls; [ "$1" = run ] && exit 0'
    fake(tmp_path, "mlcore", f'{told}; echo "# said" > build/deliver/report.md; exit {code}')
    fake(tmp_path, "dvc", 'printf "dvc %s\\n" "$*" >> calls; [ "$1" = remote ] && echo "s3 x"; exit 0')
    known = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "sum"),
    }
    known |= {"DRY_RUN": dry, "RUN_ID": ""}
    done = subprocess.run([tmp_path / ".ci/deliver"], env=known, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert (tmp_path / "build/deliver/outcome.txt").read_text().strip() == ["passed", "refused", "broken"][
        code
    ]
    assert (f"exit code {code}" in done.stderr) == bool(code)
    calls = (tmp_path / "calls").read_text().splitlines()
    dry_run = " --dry-run" if dry else ""
    assert calls == [
        "dvc remote list",
        "dvc pull --quiet --run-cache --allow-missing",
        "mlcore run",
        f"mlcore promote --report build/deliver/report.md{dry_run} -- abc",
    ]
    assert (tmp_path / "sum").read_text() == "# said\n"
    broken = known | {"GITHUB_ACTIONS": "true"}
    fake(tmp_path, "mlcore", f"exit {code}")
    done = subprocess.run([tmp_path / ".ci/deliver"], env=broken, capture_output=True, text=True, check=False)
    assert done.returncode == code and ("::error::deliver: " in done.stderr) == bool(code)
    fake(tmp_path, "mlcore", f"{told}; exit {code}")
    evil = known | {"RUN_ID": "--help; touch pwned"}
    subprocess.run([tmp_path / ".ci/deliver"], env=evil, capture_output=True, check=False)
    last = (tmp_path / "calls").read_text().splitlines()[-1]
    assert last.endswith("-- --help; touch pwned") and not (tmp_path / "pwned").exists()


@pytest.mark.slow
def test_delivery_runs_as_its_steps_say(finished, tmp_path):
    """`make deliver` and `make comment` themselves, in a project after one run, as a job calls them."""
    words = [environment(tmp_path), f"GITHUB_STEP_SUMMARY={tmp_path}/summary", "CI=true"]
    easy = "gate.budgets=null"  # what a row costs depends on what else this machine does
    finished.mlcore("compose", easy, "gate.approved.needed=true")
    refused = finished.call("make", "deliver", "DRY_RUN=1", *words, code=2)
    assert "refused (no champion before)" in refused.stdout
    assert "deliver: refused, exit code 1" in refused.stderr
    assert "MLFLOW_TRACKING_URI is not set: this job's own registry has no champion" in refused.stderr
    assert finished.read("build/deliver/outcome.txt") == "refused\n"
    finished.mlcore("compose", easy)
    done = finished.call("make", "deliver", *words)
    assert "promoted (no champion before)" in done.stdout
    assert finished.read("build/deliver/outcome.txt") == "passed\n"
    assert (tmp_path / "summary").read_text().count("# Promotion of run") == 2
    comment = finished.call("make", "comment", "REPORT=build/deliver/report.md").stdout
    assert comment.startswith("# Promotion of run") and "![" not in comment
    broken = finished.call("make", "deliver", "RUN_ID=0123abcd", *words, code=2)
    assert "no runs in MLflow are called '0123abcd'" in broken.stderr
    assert finished.read("build/deliver/outcome.txt") == "broken\n"
