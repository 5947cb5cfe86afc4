"""The history of a model: an entry a move, appended and never changed. What it says last is what holds.

A move is made in this order, and killed at any moment it leaves the old or the new champion:

1. the entry is appended under the next number; of two processes at once one succeeds, and that decides;
2. the alias champion follows, then previous, challenger and the tags, all computed from the entries;
3. the entry is marked as done.

Whoever comes next and finds an entry that is not done repeats step 2; done twice, it changes nothing.
"""

import json
import time
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"
PROMOTED, ROLLED_BACK, BY_HAND = "promoted", "rolled back", "moved by hand"
REASON = 1500  # signs kept of a reason


@dataclass(frozen=True)
class Entry:
    """One move of the champion.

    Attributes
    ----------
    number : 1, 2, ...: the order of the moves, whatever the clocks said
    what : promoted, rolled back, or moved by hand (in MLflow itself, and found later)
    version, run_id : the champion from then on
    before, before_run : version and run it took the place of; "" for the first
    by, at : who, and when (UTC, by the clock of whoever moved it)
    why : a sentence
    evidence : flat: gates, files (where on the run), sha256 of the model, git.sha, dvc.lock, data.md5, ...
    mark : random; tells two processes apart that write the same
    done : whether the aliases are known to have followed
    """

    number: int
    what: str
    version: str
    run_id: str
    before: str
    before_run: str
    by: str
    at: str
    why: str
    evidence: dict[str, str] = field(default_factory=dict)
    mark: str = ""
    done: bool = False


@dataclass(frozen=True)
class History:
    """All entries, in order."""

    entries: tuple[Entry, ...] = ()

    @property
    def head(self) -> Entry | None:
        """The last move; None before the first."""
        return self.entries[-1] if self.entries else None

    @property
    def path(self) -> list[Entry]:
        """The champions that led here, oldest first, without those that a rollback undid."""
        path: list[Entry] = []
        for entry in self.entries:
            places = [i for i, known in enumerate(path) if known.version == entry.version]
            if entry.what == ROLLED_BACK and places:
                path = path[: places[-1] + 1]
            else:
                path.append(entry)
        return path

    @property
    def previous(self) -> Entry | None:
        """Where a rollback leads."""
        return self.path[-2] if len(self.path) > 1 else None

    def last_of(self, version: str) -> Entry | None:
        """The last move that made ``version`` champion."""
        return next((entry for entry in reversed(self.entries) if entry.version == version), None)


def read(registry) -> History:
    """What was appended so far."""
    found = registry.entries()
    numbers = sorted(int(key) for key in found if key.isdigit())
    return History(
        tuple(
            replace(Entry(**json.loads(found[_key(number)])), done=f"{_key(number)}.done" in found)
            for number in numbers
        )
    )


def next_entry(history: History, what: str, version: str, run_id: str, **more) -> Entry:
    """The entry that would follow; ``more`` is by, why, evidence, mark."""
    head = history.head
    before = {"before": head.version if head else "", "before_run": head.run_id if head else ""}
    more["why"] = more["why"][:REASON]
    return Entry(len(history.entries) + 1, what, version, run_id, at=now(), **before, **more)


def append(registry, entry: Entry) -> bool:
    """Step 1; False where another entry has this number already."""
    known = {name: value for name, value in asdict(entry).items() if name != "done"}
    return registry.append(_key(entry.number), json.dumps(known, ensure_ascii=False))


def commit(registry, entry: Entry, who: str) -> bool:
    """All three steps; False where another move came first. The caller holds the registry."""
    if not append(registry, entry):
        return False
    settle(registry, who, mine=entry.number)
    return True


def settle(registry, who: str, mine: int = 0, sleep=time.sleep) -> History:
    """The history, with aliases and tags that agree with it: what a killed process left is finished.

    An alias that is gone is set again; one that somebody moved by hand becomes an entry. Nobody else is
    waited for where ``mine`` is the last entry's number. The caller holds the registry.
    """
    wrote = None
    while True:
        history, aliases = read(registry), registry.aliases()
        head, stands = history.head, aliases.get(CHAMPION)
        agrees = stands == _version(head)
        if agrees and (head is None or head.done) and aliases.get(PREVIOUS) == _version(history.previous):
            return history
        if mine != len(history.entries) and wrote is None and _another_acts(registry, history, stands, sleep):
            continue
        if head is None or (head.done and not agrees and stands not in (None, wrote)):
            append(registry, _found(registry, history, stands, who))
            continue
        _follow(registry, history, aliases)
        # written late, after somebody else's move, the aliases are those of an older entry: once more
        wrote, after = head.version, read(registry)
        if len(after.entries) == len(history.entries):
            return after


def _another_acts(registry, history, stands, sleep):
    """Wait for a process on another machine that may be about to finish its move; whether it did."""
    seen = (history, stands)
    for _ in range(round(registry.wait / 0.25)):
        sleep(0.25)
        if (read(registry), registry.aliases().get(CHAMPION)) != seen:
            return True
    return False


def _follow(registry, history, aliases):
    """Steps 2 and 3 for the last entry."""
    head, previous = history.head, _version(history.previous)
    known = {one.version for one in registry.versions()}
    if head.version in known:
        registry.point(CHAMPION, head.version)
    if previous in known:
        registry.point(PREVIOUS, previous)
    elif PREVIOUS in aliases:
        registry.point(PREVIOUS, None)
    if aliases.get(CHALLENGER) == head.version:
        registry.point(CHALLENGER, None)
    words = sentence(head)
    for version, verb in ((head.version, head.what.replace(" ", ".")), (head.before, "replaced")):
        if version in known:
            registry.tag(version, {f"{verb}.{head.number:03d}": words})
    registry.tag(None, {"history": words, "history.length": str(head.number)})
    registry.append(f"{_key(head.number)}.done", now())


def _found(registry, history, stands, who):
    """The entry for an alias that somebody set in MLflow itself."""
    version = next((one for one in registry.versions() if one.version == stands), None)
    why = f"the alias champion was found on version {stands}, set outside mlcore"
    run_id = version.run_id if version else ""
    return next_entry(history, BY_HAND, stands, run_id, by=f"unknown, found by {who}", why=why)


def sentence(entry: Entry) -> str:
    """One line for people, as it stands in MLflow's tags."""
    came = f"from version {entry.before}" if entry.before else "the first champion"
    return f"{entry.at} {entry.what} to version {entry.version}, {came}, by {entry.by}: {entry.why}"


def oddities(history: History) -> list[str]:
    """What a reader should know: moves that were cut short, and clocks that disagree."""
    found = []
    for older, newer in zip(history.entries, history.entries[1:], strict=False):
        if newer.at < older.at:
            found.append(
                f"entry {newer.number} is dated {newer.at}, before entry {older.number} ({older.at}): the "
                "clocks of the machines disagree; the numbers give the order"
            )
    head = history.head
    if head is not None and not head.done:
        found.append(
            f"entry {head.number} was decided, and perhaps cut short before every alias followed; the next "
            "promote or rollback finishes it"
        )
    return found


def now() -> str:
    """The moment, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _version(entry):
    return None if entry is None else entry.version


def _key(number):
    return f"{number:06d}"
