"""The history's laws, with a registry that stops a process, or lets another in, before any operation."""

import contextlib
import itertools
import json
from dataclasses import replace

import pytest
from shelf import Killed, Shelf

from ml_core.promotion import history

STEPS = 14  # no move makes more operations than this


def shelf(versions=4):
    found = Shelf()
    for number in range(1, versions + 1):
        found.register(f"run{number}", {})
    return found


def move(registry, version, what=history.PROMOTED, who="ann"):
    """A move as promote makes it: settle, append, follow; again when another came first."""
    while True:
        known = history.settle(registry, who)
        entry = history.next_entry(
            known, what, version, f"run{version}", by=who, why="w", mark=f"{who}{version}"
        )
        if history.commit(registry, entry, who):
            return


def stop_at(number, act):
    """A hook that calls ``act`` before operation ``number``, once."""
    left = itertools.count()

    def step(_):
        if next(left) == number:
            act()

    return step


def die():
    raise Killed


def check(registry):
    """Champion and history agree; numbers and the versions replaced form one chain."""
    known = history.read(registry)
    assert [entry.number for entry in known.entries] == list(range(1, len(known.entries) + 1))
    for older, newer in itertools.pairwise(known.entries):
        assert (newer.before, newer.before_run) == (older.version, older.run_id)
    assert known.head.done
    assert registry.alias["champion"] == known.head.version
    assert registry.alias.get("previous") == (known.previous and known.previous.version)


def test_the_first_and_the_second():
    registry = shelf()
    move(registry, "1")
    assert registry.alias == {"champion": "1"}
    registry.point("challenger", "2")
    move(registry, "2")
    assert registry.alias == {"champion": "2", "previous": "1"}
    check(registry)
    assert "promoted to version 2, from version 1, by ann: w" in registry.kept["2"].tags["promoted.002"]
    assert registry.kept["1"].tags["replaced.002"] == registry.tags["history"]


@pytest.mark.parametrize("number", range(2 * STEPS))
def test_killed_at_any_moment_the_old_or_the_new_one_stands_and_the_next_command_agrees(number):
    registry = shelf()
    move(registry, "1")
    registry.step = stop_at(number, die)
    try:
        move(registry, "2")
        assert number > 8
    except Killed:
        pass
    registry.step = lambda _: None
    assert registry.alias["champion"] in ("1", "2")
    known = history.read(registry)
    if not known.head.done:
        assert "cut short" in history.oddities(known)[0]
    if registry.alias["champion"] == "2":
        assert known.head.version == "2", "no champion without an entry"
    history.settle(registry, "bob")
    check(registry)
    assert len(history.read(registry).entries) in (1, 2)


@pytest.mark.parametrize("number", range(STEPS + 4))
def test_another_process_at_any_moment_and_one_order_for_both(number):
    registry = shelf()
    move(registry, "1")

    def other():
        registry.step = lambda _: None
        move(registry, "3", who="bob")

    registry.step = stop_at(number, other)
    move(registry, "2")
    registry.step = lambda _: None
    if len(history.read(registry).entries) == 2:
        move(registry, "3", who="bob")
    check(registry)
    assert sorted(entry.version for entry in history.read(registry).entries) == ["1", "2", "3"]


@pytest.mark.parametrize("number", range(STEPS))
def test_another_process_that_is_killed_as_well(number):
    for depth in range(STEPS):
        registry = shelf()
        move(registry, "1")

        def other(registry=registry, depth=depth):
            registry.step = stop_at(depth, die)
            with contextlib.suppress(Killed):
                move(registry, "3", who="bob")
            registry.step = lambda _: None

        registry.step = stop_at(number, other)
        move(registry, "2")
        registry.step = lambda _: None
        history.settle(registry, "eve")
        check(registry)
        assert "2" in [entry.version for entry in history.read(registry).entries]


def test_the_history_outlives_the_aliases():
    registry = shelf()
    move(registry, "1")
    move(registry, "2")
    registry.alias.clear()
    assert history.settle(registry, "ann").head.version == "2"
    check(registry)
    assert len(history.read(registry).entries) == 2


def test_an_alias_moved_by_hand_is_taken_down():
    registry = shelf()
    registry.alias["champion"] = "3"  # before mlcore came
    assert history.settle(registry, "ann").head.what == history.BY_HAND
    move(registry, "1")
    registry.alias["champion"] = "4"
    move(registry, "2")
    check(registry)
    told = [(entry.what, entry.version) for entry in history.read(registry).entries]
    assert told == [("moved by hand", "3"), ("promoted", "1"), ("moved by hand", "4"), ("promoted", "2")]
    assert "unknown, found by ann" in history.read(registry).entries[2].by


def test_a_champion_deleted_from_the_registry_stays_in_the_history():
    registry = shelf()
    move(registry, "1")
    move(registry, "2")
    registry.drop("2")
    assert history.settle(registry, "ann").head.version == "2"
    move(registry, "1", history.ROLLED_BACK)
    check(registry)


def test_back_leads_where_the_champion_came_from():
    registry = shelf()
    for version in "123":
        move(registry, version)
    assert registry.alias["previous"] == "2"
    move(registry, "2", history.ROLLED_BACK)
    assert registry.alias == {"champion": "2", "previous": "1"}
    move(registry, "4")
    assert registry.alias["previous"] == "2"
    move(registry, "1", history.ROLLED_BACK)
    assert registry.alias == {"champion": "1"}
    move(registry, "3", history.ROLLED_BACK)  # forward again: it was undone, so it is not on the way
    assert registry.alias == {"champion": "3", "previous": "1"}
    check(registry)


def test_a_move_of_another_machine_is_waited_for():
    registry, waited = shelf(), []
    move(registry, "1")
    known = history.read(registry)
    entry = history.next_entry(known, history.PROMOTED, "2", "run2", by="bob", why="w")
    history.append(registry, entry)
    registry.wait = 1.0

    def sleep(_):
        waited.append(1)
        if len(waited) == 2:  # bob is slow, and alive
            history.settle(registry, "bob", mine=2)

    assert history.settle(registry, "ann", sleep=sleep).head.done
    assert len(waited) == 2
    check(registry)


def test_clocks_that_disagree_change_no_order():
    registry = shelf()
    move(registry, "1")
    late = history.next_entry(history.read(registry), history.PROMOTED, "2", "run2", by="bob", why="w")
    history.commit(registry, replace(late, at="1999-01-01T00:00:00.000Z"), "bob")
    known = history.read(registry)
    assert known.head.version == "2" and registry.alias["champion"] == "2"
    assert "dated 1999" in history.oddities(known)[0]


def test_an_entry_is_small_whatever_the_reason():
    registry = shelf()
    entry = history.next_entry(
        history.read(registry), history.PROMOTED, "1", "run1", by="ann", why="ü" * 9999
    )
    history.append(registry, entry)
    (text,) = registry.params.values()
    assert len(text) < 3000 and json.loads(text)["why"] == "ü" * history.REASON
