"""Was anything touched since all was up to date? Answered by stat alone, before DVC's second is spent.

The evidence DVC goes by (time of change, size, inode of each file) over the same files: what the stages read
and make, the recipe, the params, the lock. One difference anywhere, and DVC itself decides.
"""

import contextlib
import json
import os
from pathlib import Path

from ml_core import plan

MEMORY = Path(".mlcore/settled.json")
ALWAYS = ("dvc.yaml", "params.yaml", "dvc.lock", ".dvcignore", ".dvc/config", ".dvc/config.local")


def snapshot(recipe: dict, params: dict) -> dict[str, list[int]] | None:
    """Path -> time of change, size, inode; None where something is missing or a stage never settles."""
    if any(body.get("always_changed") for body in (recipe.get("stages") or {}).values()):
        return None
    seen: dict[str, list[int]] = {}
    paths = dict.fromkeys(
        path for s in plan.read(recipe=recipe, params=params) for path in (*s.deps, *s.outs)
    )
    for path in paths:
        if not _look(path, seen):
            return None
    for path in ALWAYS:
        _look(path, seen)
    return seen


def _look(path, seen):
    try:
        found = os.stat(path)
    except OSError:
        return False
    if os.path.isdir(path):
        with os.scandir(path) as entries:
            return all(_look(entry.path, seen) for entry in entries if entry.name != "__pycache__")
    seen[str(path)] = [found.st_mtime_ns, found.st_size, found.st_ino]
    return True


def is_settled(recipe: dict, params: dict) -> list[str] | None:
    """Names of the stages when nothing was touched since ``remember``, else None."""
    try:
        memory = json.loads(MEMORY.read_text())
    except (OSError, ValueError):
        return None
    now = snapshot(recipe, params)
    return list(memory["stages"]) if now is not None and memory["seen"] == now else None


def remember(recipe: dict, params: dict, stages: list[str]) -> None:
    """Note what everything looks like while all of it is up to date."""
    seen = snapshot(recipe, params)
    with contextlib.suppress(OSError):
        MEMORY.unlink(missing_ok=True)
        if seen is not None:
            temporary = MEMORY.with_name(f".settled.{os.getpid()}")
            temporary.write_text(json.dumps({"stages": stages, "seen": seen}))
            temporary.replace(MEMORY)
