"""What a run came from; the same again in a fresh folder; and the first thing that differs there."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ml_core.tracking import lineage
from ml_core.tracking.run import Run

HEAD = ("run_id", "name", "receipt", "status", "message", "started", "ended")
PATCH = "code.patch"


def trace(run: Run) -> dict:
    """``run`` by code, data, params, environment; ``repeatable``: yes, or why `mlcore reproduce` cannot."""
    tags = run.tags
    code = {part: tags.get(f"git.{part}", "") for part in ("sha", "branch", "dirty", "changed")}
    data = {"name": tags.get("data", ""), "md5": tags.get("data.md5", "")}
    if run.dataset is not None:
        known = run.dataset
        data |= {"name": known.name, "md5": known.md5, "source": known.source, "rows": known.rows}
        data["columns"] = dict(known.columns)
    environment = {
        name.removeprefix("env."): value for name, value in tags.items() if name.startswith("env.")
    }
    environment |= {"requirements.lock": tags.get("lock", ""), "dvc.lock": tags.get("dvc.lock", "")}
    return {
        "run": {part: getattr(run, part) for part in HEAD},
        "code": code | {"patch": PATCH in run.artifacts},
        "data": data,
        "params": dict(run.params),
        "environment": environment,
        "model": None if run.model is None else {"uri": run.model.uri, "inputs": dict(run.model.inputs)},
        "metrics": dict(run.metrics),
        "steps": list(run.journal),
        "repeatable": not_repeatable(run) or "yes",
    }


def not_repeatable(run: Run) -> str:
    """Why the run cannot be had again, or ""."""
    if run.tags.get("git.sha", "none") in ("none", "initial"):
        return "it ran outside a git commit"
    if run.tags.get("git.dirty") == "true" and PATCH not in run.artifacts:
        return f"it ran from uncommitted code, {run.tags.get(PATCH, 'not kept')}"
    if run.status != "FINISHED" or "dvc.lock" not in run.artifacts:
        return "it left no dvc.lock, as runs that failed and Hydra's own jobs do"
    return ""


def check_out(run: Run, tracking, root: Path, folder: Path) -> None:
    """Make ``folder`` the checkout ``root`` as it was for ``run``: commit, uncommitted changes, tracked data.

    Data outside the checkout (../shared/x.csv) is reached by a link beside ``folder``.
    """
    reason = not_repeatable(run)
    if reason:
        raise ValueError(f"run {run.run_id} cannot be had again: {reason}")
    clone(root, run.tags["git.sha"], folder)
    with tempfile.TemporaryDirectory() as place:
        locked = _lock_of(run, tracking, Path(place))
        if PATCH in run.artifacts:
            patch = tracking.fetch(run.run_id, PATCH, Path(place))
            _git(folder, "apply", "--whitespace=nowarn", str(patch))
    bring_data(
        root, folder, [dep["path"] for stage in locked["stages"].values() for dep in stage.get("deps") or []]
    )


def bring_data(root: Path, folder: Path, deps: list[str]) -> None:
    """Let ``folder``, a commit of the checkout ``root``, reach its data: ``deps`` beside it, DVC's own."""
    for dep in deps:
        if dep.startswith(".."):
            _reach(dep, root, folder)
    tracked = _git(folder, "ls-files", "--", "*.dvc").split("\n")
    if any(tracked):
        _bring(root, folder, [name for name in tracked if name])


def share_cache(root: Path, folder: Path) -> None:
    """Let DVC in ``folder`` keep and find its files where ``root`` does."""
    cache = _call(root, sys.executable, "-m", "dvc", "cache", "dir").strip()
    (folder / ".dvc" / "config.local").write_text(
        f"[cache]\n    dir = {(root / cache).resolve()}\n", encoding="utf-8"
    )


def clone(root: Path, sha: str, folder: Path) -> None:
    """Check the commit ``sha`` of ``root`` out into ``folder``, which shares its objects; no branch moves."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _git(root, "clone", "--quiet", "--shared", "--no-checkout", str(root), str(folder))
    try:
        _git(folder, "checkout", "--quiet", "--detach", sha)
    except ValueError as error:
        raise ValueError(f"commit {sha} is not in {root}; fetch it from where it was pushed") from error


def first_difference(run: Run, tracking, folder: Path) -> str:
    """The first thing, in the recipe's order, that a rerun in ``folder`` made otherwise than ``run``."""
    with tempfile.TemporaryDirectory() as place:
        was, now = _lock_of(run, tracking, Path(place)), lineage.lock(folder)
        stage, said = compare_locks(was, now)
        if not stage:
            return ""
        if now.get("stages", {}).get(stage):
            said += _first_file(run, tracking, stage, folder / "out", Path(place))
    changed = _packages(run, folder)
    return f"stage {stage}: {said}{f'; packages differ: {changed}' if changed else ''}"


def compare_locks(was: dict, now: dict) -> tuple[str, str]:
    """The first stage whose outputs two locks disagree on, and in what; ("", "") where they agree."""
    old, new = was.get("stages", {}), now.get("stages", {})
    for name, body in old.items():
        if name not in new:
            return name, "did not run"
        made = _entry(body.get("outs"), new[name].get("outs"))
        if made:
            causes = [
                _entry(body.get("deps"), new[name].get("deps")),
                _param(body.get("params"), new[name].get("params")),
            ]
            because = next(
                (f"; an input differs: {cause}" for cause in causes if cause), "; its inputs are the same"
            )
            return name, made + because
    return next(((name, "is new") for name in new if name not in old), ("", ""))


def compare_folders(was: Path, now: Path) -> str:
    """The first file, by name, that two out/ folders disagree on, or "". What `log` left does not count."""
    for name in sorted({name for folder in (was, now) for name in _names(folder)}):
        if not (was / name).exists() or not (now / name).exists():
            return f"{name} is only in {now if (now / name).exists() else was}"
        where = _where(was / name, now / name)
        if where:
            return f"{name} differs {where}"
    return ""


def _names(folder):
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if (
            path.is_file()
            and parts[0] not in ("log", "log.json")
            and not any(part[0] == "." for part in parts)
        ):
            yield "/".join(parts)


def _first_file(run, tracking, stage, out, place):
    """Among the stage's recorded files, the first that is another now."""
    for name in sorted(run.artifacts):
        path = out / ("explain/report.html" if name == "report.html" else name)
        if path.relative_to(out).parts[0] == stage:
            where = _where(tracking.fetch(run.run_id, name, place), path) if path.exists() else "(missing)"
            if where:
                return f"; {name} differs {where}"
    return ""


def _where(was, now):
    """The first line (of texts) or byte that two files disagree on; "" when they are the same."""
    old, new = was.read_bytes(), now.read_bytes()
    if old == new:
        return ""
    if b"\0" in old[:1000]:
        same = next(
            (i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new))
        )
        return f"from byte {same}"
    for i, (a, b) in enumerate(zip(old.splitlines(), new.splitlines(), strict=False), 1):
        if a != b:
            before, after = (text.decode(errors="replace").strip()[:80] for text in (a, b))
            return f"in line {i}: was {before}, is {after}"
    return "in length"


def _entry(was, now):
    """The first path of deps or outs that has another digest."""
    old, new = ({entry["path"]: entry.get("md5") for entry in part or []} for part in (was, now))
    path = next((path for path in old | new if old.get(path) != new.get(path)), None)
    return "" if path is None else f"{path} is {new.get(path) or 'missing'}, was {old.get(path) or 'missing'}"


def _param(was, now):
    """The first section of params that differs: {params.yaml: {section: value}}."""
    old, new = ((part or {}).get("params.yaml", {}) for part in (was, now))
    return next((f"params.yaml: {name}" for name in old | new if old.get(name) != new.get(name)), "")


def _packages(run, folder):
    """Packages that are not the ones the run had."""
    now = lineage.environment(folder)
    changed = [
        name for name, value in now.items() if name.startswith("env.") and run.tags.get(name, value) != value
    ]
    return ", ".join(f"{name.removeprefix('env.')} {now[name]}, was {run.tags[name]}" for name in changed)


def _lock_of(run, tracking, place):
    return lineage.lock(tracking.fetch(run.run_id, "dvc.lock", place).parent)


def _reach(path, root, folder):
    """Let ``path``, of data outside the checkout, lead from ``folder`` to where it leads from ``root``."""
    if (folder / path).exists() or not (root / path).exists():
        return
    parts = Path(os.path.normpath(path)).parts
    if parts.count("..") > 1:
        raise ValueError(
            f"{path} cannot be reached from {folder}; name a folder beside the checkout: --keep ../again"
        )
    link = folder.parent / parts[1]
    if not link.exists():
        link.symlink_to(root.resolve().parent / parts[1])


def _bring(root, folder, tracked):
    """Data under DVC's care, from the cache of ``root`` or where it was pushed."""
    share_cache(root, folder)
    try:
        _call(folder, sys.executable, "-m", "dvc", "checkout", *tracked)
    except ValueError:
        _call(folder, sys.executable, "-m", "dvc", "pull", *tracked)


def commit_of(root: Path, name: str) -> str:
    """The sha behind a branch, tag or sha; ValueError where there is none."""
    words = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
    try:
        return _git(root, *words).strip()
    except ValueError:
        raise ValueError(
            f"there is no commit {name!r} here; fetch it, or name a branch, tag or sha"
        ) from None


def _git(folder, *words):
    return _call(folder, "git", *words)


def _call(folder, *words):
    environment = os.environ | {"DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no reason given"]
        raise ValueError(f"{' '.join(Path(word).name for word in words[:4])}: {said[0]}")
    return done.stdout
