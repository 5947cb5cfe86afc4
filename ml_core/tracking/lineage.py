"""Where a run came from: commit, uncommitted changes, data, lock, versions. Git and files, nothing else."""

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import tempfile
from pathlib import Path

MADE_BY_US = ("params.yaml", "dvc.lock", "conf/today.yaml")  # each run changes them: no news about the code
NEWS = (
    ".py",
    ".yaml",
    ".yml",
    ".toml",
    ".sql",
    ".lock",
    ".txt",
    ".cfg",
)  # new files worth keeping with a run
LARGEST_PATCH, LARGEST_NEWS = 1_000_000, 100_000  # bytes; more than that is data, not code
SECRETS = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY|://[^/\s:@]+:[^/\s@]+@"
    rb"|(?:password|secret|token|api_?key)[\"']?\s*[=:]\s*[\"']?(?!null|none|\$|os\.)[^\s\"']{6,}",
    re.I,
)
WORTH_NAMING = (
    "ml-core",
    "numpy",
    "polars",
    "scikit-learn",
    "scipy",
    "skops",
    "numba",
    "mlflow",
    "dvc",
    "skrub",
)


def home() -> Path:
    """The checkout the user works in: DVC runs queued experiments in copies and names it in DVC_ROOT."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()


def experiment() -> str:
    """Name that DVC gave to the experiment this process runs for, or ""."""
    return os.environ.get("DVC_EXP_NAME", "")


def caller() -> dict[str, str]:
    """Tags from whoever started this process, such as a scheduler: MLCORE_TAGS, a JSON object; else {}."""
    try:
        told = json.loads(os.environ.get("MLCORE_TAGS") or "{}")
    except ValueError:
        return {}
    return {str(name): str(value) for name, value in told.items() if value} if isinstance(told, dict) else {}


def git(folder: Path) -> dict[str, str]:
    """Tags git.sha, git.branch, git.dirty (not counting files that every run writes), git.changed."""
    status = _git(folder, "status", "--porcelain=v2", "--branch", "--untracked-files=normal", "-z")
    if status is None:
        return {"git.sha": "none", "git.dirty": "unknown"}
    found, changed = {}, []
    lines = iter(status.decode(errors="replace").split("\0"))
    for line in lines:
        if line.startswith("# branch.oid "):
            found["git.sha"] = line.split()[-1].strip("()")
        elif line.startswith("# branch.head ") and "(detached)" not in line:
            found["git.branch"] = line.split(" ", 2)[2]
        elif line[:1] in "12u?" and line:
            changed.append(_path_of(line))
            if line[0] == "2":
                next(lines, None)  # a rename is followed by the old name
    changed = sorted(
        name for name in set(changed) if not f"/{name}".endswith(tuple(f"/{made}" for made in MADE_BY_US))
    )
    found["git.dirty"] = str(bool(changed)).lower()
    if changed:
        found["git.changed"] = " ".join(changed[:50]) + (
            f" and {len(changed) - 50} more" if len(changed) > 50 else ""
        )
    return found


def patch(folder: Path) -> tuple[bytes, str]:
    """What differs from the commit, as `git apply` takes it, new files of code included; or why not.

    Made in an index of its own: the user's is not touched. With it uncommitted code can run again.
    """
    listed = _git(folder, "ls-files", "--others", "--exclude-standard", "-z")
    if listed is None:
        return b"", "no git"
    with tempfile.TemporaryDirectory() as place:
        index = {"GIT_INDEX_FILE": str(Path(place) / "index")}
        new = [
            name
            for name in listed.decode(errors="surrogateescape").split("\0")
            if name and _is_news(folder / name)
        ]
        if _git(folder, "read-tree", "HEAD", **index) is None or _git(folder, "add", "-u", **index) is None:
            return b"", "no commit yet, or a read-only repository"
        if new:
            _git(folder, "add", "--", *new, **index)
        found = (
            _git(folder, "diff", "--cached", "--binary", "--no-color", "--no-ext-diff", "HEAD", **index)
            or b""
        )
    if len(found) > LARGEST_PATCH:
        return b"", f"{len(found)} bytes, more than {LARGEST_PATCH}"
    added = b"\n".join(line for line in found.splitlines() if line.startswith(b"+"))
    return (b"", "it seems to hold a secret") if SECRETS.search(added) else (found, "")


def lock(folder: Path) -> dict:
    """dvc.lock without what `log` left in it: command, deps, params and outs a stage; {} if there is none."""
    import yaml

    path = folder / "dvc.lock"
    if not path.exists():
        return {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    known = yaml.load(path.read_text(encoding="utf-8"), loader) or {}
    stages = known.get("stages") or {}
    return known | {"stages": {name: body for name, body in stages.items() if name != "log"}}


def outputs(locked: dict) -> dict[str, str]:
    """Path -> md5 of everything the stages made, as DVC knows it."""
    stages = locked.get("stages", {}).values()
    return {out["path"]: out.get("md5", "") for body in stages for out in body.get("outs") or []}


def data(locked: dict, path: str) -> str:
    """DVC's md5 of the source at ``path``, else of what ingest made of it; "" where DVC knows neither."""
    body = locked.get("stages", {}).get("ingest", {})
    sources = {dep["path"]: dep.get("md5", "") for dep in body.get("deps") or []}
    made = [out.get("md5", "") for out in body.get("outs") or []]
    return sources.get(path) or next(iter(made), "")


def environment(folder: Path) -> dict[str, str]:
    """Tags about the machine and the packages: env.python, env.platform, env.threads, env.NAME, lock."""
    found = {
        "env.python": platform.python_version(),
        "env.platform": f"{platform.system()} {platform.machine()}",
    }
    found["env.threads"] = os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count())
    for name in WORTH_NAMING:
        try:
            found[f"env.{name}"] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    if (folder / "requirements.lock").exists():
        found["lock"] = digest_of(folder / "requirements.lock")
    return found


def requirements(folder: Path) -> list[str]:
    """name==version of each package in requirements.lock that this machine needs; without it, of a few."""
    from packaging.requirements import Requirement

    path = folder / "requirements.lock"
    if not path.exists():
        versions = environment(folder)
        known = [name for name in WORTH_NAMING if name != "ml-core" and f"env.{name}" in versions]
        return [f"{name}=={versions[f'env.{name}']}" for name in known]
    wanted = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            need = Requirement(line.rstrip("\\ "))
            if need.marker is None or need.marker.evaluate():
                wanted.append(f"{need.name}{need.specifier}")
    return wanted


def digest_of(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _path_of(line):
    """The path in a line of `git status --porcelain=v2`."""
    fields = {"1": 8, "2": 9, "u": 10, "?": 1}[line[0]]
    return line.split(" ", fields)[fields]


def _is_news(path):
    return path.suffix in NEWS and path.is_file() and path.stat().st_size <= LARGEST_NEWS


def _git(folder, *words, **environment):
    """What git printed, or None when there is no git, no repository or no luck."""
    try:
        done = subprocess.run(
            ["git", "-c", "core.quotepath=off", *words],
            cwd=folder,
            env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"} | environment,
            capture_output=True,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
