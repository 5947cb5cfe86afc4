"""Measure every claim: ours and each rival in turn, A B A B, once their results are of equal quality.

A case is a file in bench/cases: `data(n=..., ...)`, `ours(data)`, `RIVALS = {name: callable}`,
`equal(mine, theirs, data)`, and if it likes `SHORT = {"n": ...}`, `FLOOR`, `GOAL`, `MEMORY` (most that our
data and work may hold, in times the rival's; 1.5 of functions unless it says so, None asks nothing). A case
that compares commands gives `ours` and the rivals as lists of words ("{work}" is the folder), each run in a
fresh folder that `prepare(work)` has filled; `equal` then gets the folders. `ours` may be a dict as RIVALS
is, one for each rival.
A ratio is the rival's seconds over ours, the median over the pairs.
A case whose claim is no time has `figures(mine, theirs, data)`, the text that docs/numbers.md shows for it.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import report
import side

HERE = Path(__file__).parent
PAIRS, FEW = 5, 3  # at full size, and in the short form, which looks but claims nothing
SECONDS = 540  # of the short form: ten minutes with what builds the environment
POOLS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)


class Worker:
    """A side in a process of its own."""

    def __init__(self, path, names, short, environment):
        name, rival = names
        words = [sys.executable, str(HERE / "side.py"), "run", str(path), name, str(short), rival]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, bufsize=1
        )

    def answer(self):
        """What the side says next, once it has it."""
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a side ended with exit code {self.process.wait()}; its message is above")
        return json.loads(line)

    def run(self, leave=""):
        """One run -> {wall, cpu, peak, memory}; the result goes to the path ``leave``."""
        self.process.stdin.write(f"{leave}\n")
        return self.answer()

    def close(self):
        """Let the process end."""
        self.process.stdin.close()
        self.process.wait()


class Command:
    """A side that is a command, run in a fresh folder each time."""

    def __init__(self, case, words, environment, folder):
        self.case, self.words, self.environment, self.folder = case, words, environment, Path(folder)

    def answer(self):
        """Nothing has to be waited for."""

    def run(self, leave=""):
        """One run -> {wall, cpu, peak, memory}; its folder stays at the path ``leave``."""
        work = Path(leave) if leave else self.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        if hasattr(self.case, "prepare"):
            self.case.prepare(work)
        words = [word.replace("{work}", str(work)) for word in self.words]
        launcher = [sys.executable, str(HERE / "side.py"), "command", *words]
        done = subprocess.run(
            launcher, cwd=work, env=self.environment, stdout=subprocess.PIPE, text=True, check=True
        )
        return json.loads(done.stdout)

    def close(self):
        """Nothing is left running."""


def side_of(path, case, names, setting, folder):
    """Worker or Command for one side; ``names`` is (side, rival), ``setting`` is (short, environment)."""
    name, words = names[0], side.function(case, *names)
    if isinstance(words, list):
        return Command(case, words, setting[1], Path(folder) / name)
    return Worker(path, names, *setting)


def same_quality(path, case, setting, results):
    """Whether the case calls what the two sides left equal, and its figures: {equal, figures}."""
    short, rival = setting
    if not callable(side.function(case, "ours", rival)):
        return {"equal": bool(case.equal(*map(Path, results), None)), "figures": ""}
    words = [sys.executable, str(HERE / "side.py"), "judge", str(path), str(short), *results]
    return json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True).stdout)


def compare(path, case, rival, setting, seconds=None):
    """One row of results: ours against one rival; ``setting`` is (short, threads).

    Pairs that would begin after ``seconds`` are left out, but for the first.
    """
    short, n_threads = setting
    end = None if seconds is None else time.monotonic() + seconds
    environment = os.environ | dict.fromkeys(POOLS, str(n_threads))
    with tempfile.TemporaryDirectory() as folder:
        names = ("ours", rival)
        results = [f"{folder}/{i}" for i in range(2)]
        sides = []
        try:
            for name in names:
                sides.append(side_of(path, case, (name, rival), (short, environment), folder))
            for one in sides:  # both read their data at once
                one.answer()
            # the first run compiles, fills caches and leaves its result; it does not count
            first = [one.run(leave) for one, leave in zip(sides, results, strict=True)]
            found = same_quality(path, case, (short, rival), results)
            pairs = 1 if found["figures"] else FEW if short else PAIRS
            runs = _pairs(sides, pairs, end) if found["equal"] else []
        finally:
            for one in sides:
                one.close()
    row = {
        "case": path.stem,
        "rival": rival,
        "threads": n_threads,
        "size": size_of(case, short),
        "short": short,
    }
    equal = found["equal"]
    row |= found | {"load": round(os.getloadavg()[0], 1), "pairs": len(runs)}
    return row | memories(runs or [first]) | (ratios(runs) if equal else {})


def _pairs(sides, most, end):
    """Runs of both sides in turn; but for the first, none begins after ``end``."""
    runs = []
    while not runs or (len(runs) < most and (end is None or time.monotonic() < end)):
        runs.append([one.run() for one in sides])
    return runs


def memories(runs):
    """The most MB that either side held: ``peak`` all the process, ``memory`` its data and work alone."""
    row = {}
    for kind in ("peak", "memory"):
        for i, whose in enumerate(("ours", "rival")):
            known = [pair[i][kind] for pair in runs if pair[i][kind] is not None]
            row[f"{kind}_{whose}"] = round(max(known), 1) if known else None
    return row


def size_of(case, short):
    """The sizes as people write them: n=200000 d=100."""
    return " ".join(f"{name}={value}" for name, value in side.sizes(case, short).items())


def ratios(runs):
    """Medians of the seconds of both sides and of their ratios, pair by pair."""
    row = {}
    for clock in ("cpu", "wall"):
        ours, rival = ([pair[i][clock] for pair in runs] for i in range(2))
        pairs = [theirs / max(mine, 1e-9) for mine, theirs in zip(ours, rival, strict=True)]
        row |= {f"{clock}_ours": statistics.median(ours), f"{clock}_rival": statistics.median(rival)}
        row |= {f"{clock}_ratio": statistics.median(pairs)}
        row |= {f"{clock}_least": min(pairs), f"{clock}_most": max(pairs)}
    return row


def bound(case, name, rival):
    """FLOOR or GOAL of a case: a number, a number a rival, or nothing."""
    value = getattr(case, name, None)
    return value.get(rival) if isinstance(value, dict) else value


def measure(paths, short, threads, seconds=None, only=()):
    """Yield a row for each case, number of threads and rival; of the rivals ``only`` where some are named.

    Of ``seconds``, each takes no more than its share of what is left; a row whose turn comes too late is
    ``{"late": True, ...}`` with names alone.
    """
    asked = [
        (path, case, rival, n_threads)
        for path, case in ((path, side.load(path)) for path in paths)
        for n_threads in threads
        for rival in case.RIVALS
        if not only or rival in only
    ]
    end = None if seconds is None else time.monotonic() + seconds
    for i, (path, case, rival, n_threads) in enumerate(asked):
        share = None if end is None else (end - time.monotonic()) / (len(asked) - i)
        if share is not None and share <= 0:
            yield {"late": True, "case": path.stem, "rival": rival, "threads": n_threads}
            continue
        row = compare(path, case, rival, (short, n_threads), share)
        limit = bound(case, "MEMORY", rival) if hasattr(case, "MEMORY") else _memory(case, rival)
        yield row | {
            "floor": bound(case, "FLOOR", rival),
            "goal": bound(case, "GOAL", rival),
            "limit": limit,
        }


def _memory(case, rival):
    """The limit of a case that names none: commands need not compare alike things."""
    return None if isinstance(side.function(case, "ours", rival), list) else report.MEMORY


def told(row):
    """A row as one line for people."""
    where = f"{row['case']:16} {row.get('size', ''):22} {row['threads']} thread(s), {row['rival']}: "
    if row.get("late"):
        return where + "LEFT OUT, the time is up: name cases or raise --seconds"
    if not row["equal"]:
        return where + "NOT EQUAL"
    clocks = [
        f"{clock} {row[f'{clock}_rival']:.3g} / {row[f'{clock}_ours']:.3g} s = {row[f'{clock}_ratio']:.3g}"
        f" ({row[f'{clock}_least']:.3g} to {row[f'{clock}_most']:.3g})"
        for clock in ("cpu", "wall")
    ]
    parts = [*([row["figures"]] if row.get("figures") else []), *clocks, f"{row['pairs']} pairs"]
    if row["memory_ours"] is not None:
        parts.append(f"memory {row['memory_rival']:.0f} / {row['memory_ours']:.0f} MB")
    return where + ", ".join([*parts, *([] if row["short"] else report.misses(row))])


def main(words=None):
    """Measure cases; exit code 1 when one is not equal, comes too late or, at full size, misses its claim."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", nargs="*", help="names of files in bench/cases; all where none is named")
    parser.add_argument("--threads", default="1", help="such as 1,2: threads of either side")
    parser.add_argument(
        "--rival", action="append", default=[], help="this one alone; may be given several times"
    )
    parser.add_argument("--short", action="store_true", help="small sizes, minutes in all")
    parser.add_argument(
        "--seconds", type=float, help=f"time for all; fewer pairs where short ({SECONDS} in the short form)"
    )
    parser.add_argument("--json", action="store_true", help="one json a row")
    parser.add_argument("--cases", type=Path, default=HERE / "cases", help="folder of the cases")
    parser.add_argument("--results", type=Path, default=HERE / "results.csv", help="where rows are appended")
    parser.add_argument(
        "--docs", type=Path, default=HERE.parent / "docs", help="where numbers.md is rewritten"
    )
    given = parser.parse_args(words)
    known = {path.stem: path for path in sorted(given.cases.glob("*.py"))}
    if strange := [name for name in given.case if name not in known]:
        parser.error(f"no case {', '.join(strange)}; there are {', '.join(known)}")
    paths = [known[name] for name in given.case or known]
    rivals = {rival for path in paths for rival in side.load(path).RIVALS} if given.rival else ()
    if strange := [name for name in given.rival if name not in rivals]:
        parser.error(f"no rival {', '.join(strange)} in these cases; there are {', '.join(sorted(rivals))}")
    good, machine = True, report.machine()
    threads = [int(count) for count in given.threads.split(",")]
    seconds = given.seconds or (SECONDS if given.short else None)
    for row in measure(paths, given.short, threads, seconds, given.rival):
        late = row.get("late", False)
        good &= not late and row["equal"] and (given.short or not report.misses(row))
        print(json.dumps(row) if given.json else told(row), flush=True)
        if late:
            continue
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
        report.append(given.results, {"time": stamp, **row, **machine})
        report.write(given.results, given.docs, known)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
