"""Back to an earlier champion: only if it still loads and says what it said when it was promoted."""

import secrets
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ml_core.outcome import CheckFailed
from ml_core.promotion import evidence, history
from ml_core.promotion.contenders import Recorded


@dataclass(frozen=True)
class Back:
    """Where a rollback led: the versions, and what was found out about the one that stands now."""

    model: str
    version: str
    before: str
    checked: str


def roll_back(registry, tracking, fresh, place: Path, **asked) -> Back:
    """Make a version champion again; ``asked`` is to (None: the one before), why, who and force.

    CheckFailed, and nothing moved, where it does not load, or (unless forced) says other things than it did.
    """
    if not asked["why"].strip():
        raise ValueError("a rollback needs a reason: --reason '...'")
    with registry.held():
        known = history.settle(registry, asked["who"])
    target = _target(known, registry, asked["to"])
    run_id = next((one.run_id for one in registry.versions() if one.version == target), None)
    if run_id is None:
        raise CheckFailed(f"version {target} of {registry.name} was deleted from the registry")
    last = known.last_of(target)
    kept = last.evidence if last else {}
    run = tracking.read(run_id)
    old = Recorded(f"version {target}", run, tracking, place / "old", target, kept.get("sha256", ""))
    checked = check(old, kept, fresh, asked["force"])
    with registry.held():
        now = history.settle(registry, asked["who"])
        if len(now.entries) != len(known.entries):
            raise CheckFailed(
                f"version {now.head.version} became champion meanwhile, by {now.head.by}; look at "
                "`mlcore history`, and roll back again if that is still what you want"
            )
        entry = history.next_entry(
            now, history.ROLLED_BACK, target, run_id, by=asked["who"], why=asked["why"],
            evidence=kept | {"checked": checked[:300]}, mark=secrets.token_hex(8),
        )  # fmt: skip
        if not history.commit(registry, entry, asked["who"]):
            raise CheckFailed("another move came first; look at `mlcore history`, and roll back again")
    return Back(registry.name, target, entry.before, checked)


def _target(known, registry, to):
    """The version to go back to."""
    if known.head is None:
        raise ValueError(f"{registry.name} has no champion yet, so there is nothing to go back from")
    there = ", ".join(one.version for one in registry.versions()) or "none"
    if to is None:
        if known.previous is None:
            raise ValueError(
                f"no champion came before version {known.head.version} of {registry.name}; name a version: "
                f"--to VERSION (there is {there})"
            )
        return known.previous.version
    if to == known.head.version:
        raise ValueError(f"version {to} of {registry.name} is champion already; there is {there}")
    if to not in there.split(", "):
        raise ValueError(f"--to {to}: {registry.name} has no such version; there is {there}")
    if known.last_of(to) is None:
        raise ValueError(
            f"--to {to}: that version of {registry.name} was never champion, so there is no way back to it; "
            "`mlcore promote` judges it"
        )
    return to


def check(old: Recorded, kept: dict[str, str], fresh, force: bool = False) -> str:
    """What was found out about a version; CheckFailed where it is no longer what ``kept`` says of it."""
    version, run = old.version, old.run
    _ = old.model
    if not kept.get("files"):
        return "it loads; what it should say nobody kept, for it was never promoted by mlcore"
    try:
        rows, said = evidence.sample(run, old.tracking, kept["files"], old.folder / "sample")
    except KeyError as error:
        if force:
            return "it loads; what it said when it was promoted is gone, forced"
        raise CheckFailed(
            f"what version {version} said when it was promoted is gone from run {run.run_id}; go back all "
            "the same: --force"
        ) from error
    features = pl.scan_parquet(rows).collect_schema().names()
    served = fresh.compare(old.served, rows, features, said, lambda: old.model)
    if not served.differing:
        return f"it loads, and says of {served.n} rows what it said when it was promoted, bit for bit"
    told = f"{served.differing} of {served.n} rows differ, by up to {served.largest:.3g}"
    if force:
        return f"it loads; {told}, forced"
    raise CheckFailed(
        f"version {version} no longer says what it said: {told} ({served.first}); go back all the same: "
        "--force"
    )
