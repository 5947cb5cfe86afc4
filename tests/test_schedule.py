"""The timetable's files: every one of conf/schedule is whole; what cannot be is told with its place."""

import re
import time
from datetime import timedelta

import pytest
import yaml
from closure import ROOT

from ml_core import plan, schedule
from ml_core.plan import Stage

NAMES = sorted(path.stem for path in (ROOT / "conf/schedule").glob("*.yaml"))
# text -> what the message must say
WRONG = {
    "wen: null": r"unknown key 'wen'; did you mean when",
    "when: 3 * * *": r"'3 \* \* \*' with 4 fields; cron has five: minute hour day month weekday",
    "when: 61 3 * * *": r"minute is '61'; allowed are 0 to 59",
    "when: 0 3 * * FUN": r"weekday is 'FUN'; allowed are 0 to 7",
    "when: 0 5-2 * * *": r"hour is '5-2'",
    "when: '*/0 3 * * *'": r"minute is '\*/0'",
    "when: '@fortnightly'": r"there is @hourly, @daily",
    "when: {each: 6h}": r"allowed are null, a cron text, \{every: a time span",
    "when: {every: soon}": r"when.every: got 'soon', must be a number with s, m, h or d",
    "when: {asset: [1]}": r"when.asset: got \[1\], must be a list of texts",
    "when: {file: 3}": r"when.file: got 3, must be the absolute path",
    "when: {queue: kafka://rows}": r"when.queue: got 'kafka://rows', must be a mapping with scheme",
    "when: {queue: {topics: [a]}}": r"when.queue: got .*, must be a mapping with scheme",
    "timezone: Moon/Base": r"timezone: got 'Moon/Base', must be a time zone such as Europe/Berlin",
    "granularity: task": r"granularity: got 'task', must be stage or pipeline",
    "retries: -1": r"retries: got -1, must be a whole number, 0 or more",
    "concurrency: true": r"concurrency: got True",
    "timeout: 0s": r"timeout: got '0s'",
    "overrides: model=forest": r"overrides: got 'model=forest', must be a list of texts",
    "approval: yes please": r"approval: got 'yes please', must be true or false",
    "secrets: {PASSWORD: hunter2}": r"secrets.PASSWORD: must be connection:ID or variable:NAME",
    "stages: [ingest]\npromote: true": r"nothing can be promoted",
    "[1]": r"expected sections",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_schedule_of_the_project_is_whole(name):
    known = schedule.parse(ROOT / f"conf/schedule/{name}.yaml")
    assert known.name == name and known.about.endswith(".")
    assert schedule.chosen(known, plan.read(ROOT))


@pytest.mark.parametrize("text", WRONG, ids=str)
def test_what_cannot_be_is_told_with_its_place(tmp_path, text):
    folder = tmp_path / "schedule"
    folder.mkdir()
    (folder / "odd.yaml").write_text(text)
    with pytest.raises(ValueError, match=rf"(schedule/)?odd.yaml.*{WRONG[text]}") as told:
        schedule.parse(folder / "odd.yaml")
    assert "hunter2" not in str(told.value)


def test_one_that_is_wrong_harms_no_other(tmp_path):
    (tmp_path / "good.yaml").write_text("when: '@daily'")
    (tmp_path / "bad.yaml").write_text("when: never")
    good, bad = schedule.read(tmp_path)
    assert [one.name for one in good] == ["good"] and list(bad) == ["bad"]


@pytest.mark.parametrize(
    "text", ["* * * * *", "*/15 0-6 1,15 JAN-MAR MON-FRI", "0 0 31 12 7", "0 9-17/2 * * 1"]
)
def test_cron_texts_that_are_right(text):
    assert schedule.cron(text) == text


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("15m", 900), ("2 h", 7200), ("1d", 86400)])
def test_time_spans(text, seconds):
    assert schedule.duration(text, "x") == timedelta(seconds=seconds)


def test_a_part_of_the_recipe_takes_what_it_needs():
    stages = [
        Stage("a", ""),
        Stage("b", "", after=("a",)),
        Stage("c", "", after=("a",)),
        Stage("d", "", after=("b",)),
    ]
    only = schedule.Schedule("x", stages=("d",))
    assert [stage.name for stage in schedule.chosen(only, stages)] == ["a", "b", "d"]
    with pytest.raises(ValueError, match="dvc.yaml has no stage 'e'; it has a, b, c, d"):
        schedule.chosen(schedule.Schedule("x", stages=("e",)), stages)
    with pytest.raises(ValueError, match="a stage called publish cannot be a task"):
        schedule.chosen(schedule.Schedule("x"), [Stage("publish", "")])


def test_twenty_schedules_and_thirty_stages_are_read_in_a_blink(tmp_path):
    """The budget of a scheduler's parse is 50 ms beyond Airflow's import; half of it is ours."""
    for i in range(20):
        (tmp_path / f"s{i}.yaml").write_text("# About.\nwhen: 0 3 * * *\noverrides: [model=forest]\n")
    recipe = {"stages": {f"s{i}": {"cmd": "x", "outs": [f"o{i}"], "deps": [f"o{i - 1}"]} for i in range(30)}}
    best = 1.0
    for _ in range(5):
        start = time.process_time()
        good, _ = schedule.read(tmp_path)
        stages = plan.read(recipe=recipe, params={})
        assert all(len(schedule.chosen(one, stages)) == 30 for one in good) and len(good) == 20
        best = min(best, time.process_time() - start)
    assert best < 0.05


BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.S | re.M)


def blocks(name, language):
    return [text for kind, text in BLOCK.findall((ROOT / "docs" / name).read_text()) if kind == language]


@pytest.mark.parametrize("text", blocks("schedules.md", "yaml"))
def test_a_schedule_in_the_docs_is_whole(tmp_path, text):
    (tmp_path / "shown.yaml").write_text(text)
    assert schedule.parse(tmp_path / "shown.yaml").about


def test_every_key_of_a_schedule_is_documented():
    text = (ROOT / "docs/schedules.md").read_text()
    assert [key for key in schedule.CHECKS if f"`{key}`" not in text] == []


def test_the_pod_in_the_docs_is_whole_and_its_image_takes_what_exists():
    (pod,) = [yaml.safe_load(text) for text in blocks("kubernetes.md", "yaml")]
    assert (pod["apiVersion"], pod["kind"]) == ("v1", "Pod")
    (container,) = pod["spec"]["containers"]
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert container["name"] == "base" and mounted == {volume["name"] for volume in pod["spec"]["volumes"]}
    told = {entry["name"] for entry in container["env"]}
    documented = (ROOT / "docs/schedules.md").read_text()
    assert {name for name in told if name.startswith("MLCORE_")} <= set(re.findall(r"MLCORE_\w+", documented))
    (image,) = blocks("kubernetes.md", "dockerfile")
    taken = re.findall(r"-r (\S+)", image) + re.findall(r"/srv/ml_core/(\w+)", image)
    assert taken and all((ROOT / name).exists() for name in taken)
