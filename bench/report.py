"""bench/results.csv and what is made of it: the tables of docs/numbers.md, the bars of docs/numbers.svg."""

import csv
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from math import log10
from pathlib import Path

COLUMNS = [
    "time", "commit", "case", "rival", "size", "short", "threads", "equal", "pairs", "load",
    "cpu_ours", "cpu_rival", "cpu_ratio", "cpu_least", "cpu_most",
    "wall_ours", "wall_rival", "wall_ratio", "wall_least", "wall_most",
    "peak_ours", "peak_rival", "memory_ours", "memory_rival",
    "floor", "goal", "limit", "figures", "cpu", "python", "packages",
]  # fmt: skip
PACKAGES = ("numpy", "scipy", "scikit-learn", "numba", "lightgbm", "xgboost", "faiss-cpu")
HEAD = """# Numbers

Written by `bench/run.py` from `bench/results.csv`; do not edit. Each ratio is the rival's seconds over ours,
the median of five pairs (short form: three) run in turn (A B A B), each side in its own process with the same
number of threads, after both gave results of equal quality; where they did not, the table says NOT EQUAL and
gives no ratio. `make bench` repeats them at small sizes, `make bench-full` at the sizes given here.

What a row claims is marked: **goal** where its ratio reaches the goal, *floor* where it reaches the floor, a
miss in capitals; the ratio that counts is that of CPU seconds on one thread and of wall seconds on more.
Memory is the most that the data and the work held together, MB, after a first run, what the largest of its
worker processes took included; where ours is over 1.5 times the rival's (and 16 MB over it), that is a miss
as well. The whole process, libraries included, stands beside it: ours loads Numba where a case is large
enough for compiled kernels, about 120 MB, as much whatever the data.

![ratios](numbers.svg)
"""
MEMORY = 1.5  # ours over the rival's: more is a miss
SLACK = 16  # MB of memory that are no difference


def machine():
    """What a row says about where it was measured."""
    model = platform.processor() or platform.machine()
    known = Path("/proc/cpuinfo")
    if known.exists():
        names = [
            line.split(":")[1].strip() for line in known.read_text().splitlines() if "model name" in line
        ]
        model = f"{names[0]}, {len(names)} cores" if names else model
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return {
        "cpu": model,
        "python": platform.python_version(),
        "packages": " ".join(f"{name}={found}" for name in PACKAGES if (found := _version(name))),
        "commit": commit.stdout.strip(),
    }


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def best(row):
    """The ratio a floor is held against: CPU on one thread, wall on more, where threads are the point."""
    return row["cpu_ratio"] if row["threads"] == 1 else row["wall_ratio"]


def misses(row):
    """What a row claims and does not hold, in capitals."""
    found = []
    if row["floor"] and best(row) < row["floor"]:
        found.append(f"UNDER ITS FLOOR {row['floor']:g}")
    if row["limit"] and row["memory_ours"] and row["memory_rival"]:
        most = max(row["limit"] * row["memory_rival"], row["memory_rival"] + SLACK)
        if row["memory_ours"] > most:
            found.append(f"OVER {row['limit']:g}x THE MEMORY")
    return found


def append(path, row):
    """Add one row to the csv, with a header where it is new; rows of fewer columns are filled up."""
    old = []
    if path.exists():
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            old = None if reader.fieldnames == COLUMNS else list(reader)
    if old is not None:
        part = path.with_suffix(".part")
        with part.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(old)
        part.replace(path)
    with path.open("a", newline="") as file:
        csv.DictWriter(file, COLUMNS).writerow({name: _short(row.get(name)) for name in COLUMNS})


def _short(value):
    return f"{value:.6g}" if isinstance(value, float) else value


def latest(path, known=None):
    """The last row of each case (of those ``known``), rival, number of threads and form, in order."""
    with path.open(newline="") as file:
        rows = {(r["case"], r["threads"], r["rival"], r["short"]): r for r in csv.DictReader(file)}
    return [rows[key] for key in sorted(rows) if known is None or key[0] in known]


def write(path, docs, known=None):
    """Rewrite numbers.md and numbers.svg."""
    every = latest(path, known)
    rows, rated = ([row for row in every if bool(row.get("figures")) == some] for some in (False, True))
    docs.mkdir(exist_ok=True)
    full, short = ([row for row in rows if row["short"] == told] for told in ("False", "True"))
    parts = [HEAD]
    if full:
        parts.append(f"## Full size\n\n{_count(full)}\n\n{_table(full, True)}")
    if short:
        parts.append(f"## Short form\n\nSmall sizes; nothing is claimed.\n\n{_table(short, False)}")
    if rated:
        parts.append("## Figures\n\n" + _figures(rated))
    parts.append("## Where\n\n" + _where(every))
    (docs / "numbers.md").write_text("\n".join(parts))
    (docs / "numbers.svg").write_text(_bars([row for row in full or short if row["equal"] == "True"]))


def _figures(rows):
    """What is claimed in other units than seconds; the full size where it was measured."""
    kept = {(row["case"], row["rival"]): row for row in sorted(rows, key=lambda row: row["short"] == "False")}
    lines = ["| case | size | rival | figures | claim |", "|---|---|---|---|---|"]
    for row in kept.values():
        claim = "**holds**" if row["equal"] == "True" else "FAILS"
        claim = "" if row["short"] == "True" and row["equal"] == "True" else claim
        cells = [row["case"], row["size"], row["rival"], row["figures"], claim]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _numbers(row):
    """A row of the csv with its numbers as such, None where there is none."""
    names = ("cpu_ratio", "wall_ratio", "floor", "goal", "limit", "memory_ours", "memory_rival")
    return {name: float(row[name]) if row.get(name) else None for name in names} | {
        "threads": int(row["threads"])
    }


def _mark(row):
    """Whether a row holds what it claims."""
    if row["equal"] != "True":
        return "NOT EQUAL"
    row = _numbers(row)
    if found := misses(row):
        return ", ".join(found)
    if row["goal"] and best(row) >= row["goal"]:
        return "**goal**"
    return "*floor*" if row["floor"] else ""


def _count(rows):
    """How many rows hold what."""
    marks = [mark for row in rows if (mark := _mark(row))]
    goals, floors = marks.count("**goal**"), marks.count("*floor*")
    missed = len(marks) - goals - floors
    return f"Of {len(marks)} claims {goals} reach the goal, {floors} the floor, {missed} neither."


def _table(rows, claims):
    heads = [
        "case",
        "size",
        "threads",
        "rival",
        "CPU s, rival / ours",
        "ratio",
        "wall s, rival / ours",
        "ratio",
    ]
    heads += ["floor", "goal", "claim"] if claims else []
    heads += ["memory MB, rival / ours", "process MB, rival / ours"]
    lines = [heads, ["---"] * len(heads)]
    for row in rows:
        clocks = []
        for clock in ("cpu", "wall"):
            if row["equal"] == "True":
                ratio = f"**{_three(row[f'{clock}_ratio'])}**"
                clocks += [f"{_three(row[f'{clock}_rival'])} / {_three(row[f'{clock}_ours'])}", ratio]
            else:
                clocks += ["NOT EQUAL", ""]
        cells = [row["case"], row["size"], row["threads"], row["rival"], *clocks]
        cells += [row["floor"], row["goal"], _mark(row)] if claims else []
        memory = [_pair(row, kind) for kind in ("memory", "peak")]
        lines.append([*cells, *memory])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def _pair(row, kind):
    """MB of the rival and of ours."""
    found = [row.get(f"{kind}_{whose}") for whose in ("rival", "ours")]
    return " / ".join(f"{float(text):.0f}" for text in found) if all(found) else ""


def _three(text):
    return f"{float(text):.3g}"


def _where(rows):
    seen = {}
    for row in rows:
        place = f"{row['cpu']}; Python {row['python']}; {row['packages']}"
        seen.setdefault(place, []).append(float(row["load"]))
    lines = [f"- {place} (load {min(loads):g} to {max(loads):g})" for place, loads in seen.items()]
    return "\n".join(lines) + "\n"


def _bars(rows):
    """Ratios as bars on a log scale, one from 1 leftwards or rightwards a row."""
    top = max([float(row["cpu_ratio"]) for row in rows], default=10.0)
    left, step, width = 300, 20, 420
    unit = width / max(log10(max(top, 10.0)) + 0.5, 1.0)
    zero = left + 0.5 * unit
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="12" '
        f'width="{left + width + 80}" height="{step * len(rows) + 50}">',
        f'<text x="{zero:.0f}" y="16">rival\'s CPU seconds over ours (log scale; the line is 1)</text>',
    ]
    for i, row in enumerate(rows):
        ratio, y = float(row["cpu_ratio"]), 30 + step * i
        end = zero + unit * max(log10(max(ratio, 1e-9)), -0.5)
        name = f"{row['case']}, {row['rival']}, {row['threads']} thr."
        lines += [
            f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{name}</text>',
            f'<rect x="{min(zero, end):.1f}" y="{y}" width="{abs(end - zero):.1f}" height="14" '
            f'fill="{"#4477aa" if ratio >= 1 else "#cc6677"}"/>',
            f'<text x="{max(zero, end) + 4:.1f}" y="{y + 12}">{_three(row["cpu_ratio"])}</text>',
        ]
    lines.append(
        f'<line x1="{zero:.1f}" x2="{zero:.1f}" y1="24" y2="{30 + step * len(rows)}" stroke="black"/>'
    )
    return "\n".join([*lines, "</svg>", ""])
