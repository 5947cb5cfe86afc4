"""What nothing needs any more: old versions, files of old runs, and objects in DVC's cache.

Needed is what an alias leads to (champion, previous and any other), what is tagged pinned=true, what a
branch, a tag or the workspace of the repository names, and whatever is younger than so many days.
"""

import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from ml_core.promotion import rows
from ml_core.tracking import pending

RUNS = 10_000  # looked at, the newest first
MD5 = re.compile(r"md5: ([0-9a-f]{32}(?:\.dir)?)")
PINNED, REMOVED = "pinned", "files.removed"


@dataclass(frozen=True)
class Garbage:
    """What may go: numbers of versions, ids of runs, paths in DVC's cache with their bytes."""

    versions: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)
    bytes: int = 0
    note: str = ""

    def lines(self) -> list[str]:
        """For people."""
        named = [("versions of the model", self.versions), ("runs' files, but not their numbers", self.runs)]
        found = [
            f"{len(some)} {what}: {', '.join(some[:20]) or 'none'}{' and more' if len(some) > 20 else ''}"
            for what, some in named
        ]
        found.append(f"{len(self.objects)} objects in DVC's cache, {self.bytes / 1e6:.1f} MB")
        return [*found, self.note] if self.note else found


def find(registry, tracking, days: float, root: Path) -> Garbage:
    """Look, and touch nothing."""
    limit = time.time() - 86_400 * days
    aliased, versions = set(registry.aliases().values()), registry.versions()
    runs = tracking.runs(RUNS)
    pinned = {run.run_id for run in runs if run.tags.get(PINNED) == "true"}
    old = [
        one
        for one in versions
        if one.version not in aliased
        and one.tags.get(PINNED) != "true"
        and one.run_id not in pinned
        and one.created / 1000 < limit
    ]
    going = {one.version for one in old}
    needed = pinned | {one.run_id for one in versions if one.version not in going}
    gone = [run.run_id for run in runs if run.run_id not in needed and run.ended / 1000 < limit]
    kept = [run for run in runs if run.run_id not in gone and REMOVED not in run.tags]
    shed = [run.run_id for run in runs if run.run_id in gone and REMOVED not in run.tags]
    store = rows.cache(root)
    if not store.resolve().is_relative_to(root.resolve()):
        note = f"DVC's cache {store} is shared with others, who may need what nothing here does: left alone"
        return Garbage(sorted(going, key=int), shed, note=note)
    objects = _unneeded(store, _named(root) | _locked(kept, tracking), limit)
    return Garbage(
        sorted(going, key=int), shed, [str(path) for path, _ in objects], sum(n for _, n in objects)
    )


def remove(found: Garbage, registry, tracking) -> None:
    """Remove what ``find`` found; what became needed since then stays."""
    with registry.held():
        aliased = set(registry.aliases().values())
        for version in found.versions:
            if version not in aliased:
                registry.drop(version)
        still = {one.run_id for one in registry.versions()}
        for run_id in found.runs:
            if run_id not in still:
                registry.shed(run_id)
    for path in found.objects:
        Path(path).unlink(missing_ok=True)


def _locked(kept, tracking):
    """Digests in the dvc.lock of the runs that stay; one that cannot be read stops everything."""
    import tempfile

    found = set()
    for run in kept:
        with tempfile.TemporaryDirectory() as place:
            try:
                text = tracking.fetch(run.run_id, "dvc.lock", Path(place)).read_text(encoding="utf-8")
            except KeyError:  # a run that failed before DVC had anything to say
                continue
            found |= set(MD5.findall(text))
    return found


def _named(root):
    """Digests that the workspace, what waits to be sent, and every ref of the repository name."""
    files = [root / "dvc.lock", *root.rglob("*.dvc"), *(folder / "dvc.lock" for folder in pending.waiting())]
    texts = [path.read_text(encoding="utf-8") for path in files if path.is_file()]
    for ref in set(_git(root, "for-each-ref", "--format=%(objectname)").split()):
        names = [name for name in _git(root, "ls-tree", "-r", "--name-only", ref).splitlines()]
        texts += [
            _git(root, "show", f"{ref}:./{name}")
            for name in names
            if name.endswith(".dvc") or Path(name).name == "dvc.lock"
        ]
    return {md5 for text in texts for md5 in MD5.findall(text)}


def _unneeded(store, needed, limit):
    """(path, bytes) of objects that no needed digest leads to, older than ``limit`` seconds since 1970."""
    whole = set(needed)
    for md5 in needed:
        whole |= set((rows.members(store, md5) or {}).values())
    found = []
    for path in sorted((store / "files" / "md5").glob("??/*")):
        status = path.stat()
        if path.parent.name + path.name not in whole and status.st_mtime < limit:
            found.append((path, status.st_size))
    return found


def _git(root, *words):
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, errors="replace")
    return done.stdout if done.returncode == 0 else ""
