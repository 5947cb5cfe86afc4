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
    "peak_ours", "peak_rival", "floor", "goal", "cpu", "python", "packages",
]  # fmt: skip
PACKAGES = ("numpy", "scipy", "scikit-learn", "numba", "lightgbm", "xgboost", "faiss-cpu")
HEAD = """# Numbers

Written by `bench/run.py` from `bench/results.csv`; do not edit. Each ratio is the rival's seconds over ours,
the median of five pairs (short form: three) run in turn (A B A B), each side in its own process with the same
number of threads, after both gave results of equal quality; where they did not, the table says NOT EQUAL and
gives no ratio. `make bench` repeats them at small sizes, `make bench-full` at the sizes given here. Peak
memory holds the data, the libraries and the work.

![ratios](numbers.svg)
"""


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


def append(path, row):
    """Add one row to the csv, with a header where it is new."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerow({name: _short(row.get(name)) for name in COLUMNS})


def _short(value):
    return f"{value:.6g}" if isinstance(value, float) else value


def latest(path):
    """The last row of each case, rival, size and number of threads, in order."""
    with path.open(newline="") as file:
        rows = {(r["case"], r["size"], r["threads"], r["rival"]): r for r in csv.DictReader(file)}
    return [rows[key] for key in sorted(rows)]


def write(path, docs):
    """Rewrite numbers.md and numbers.svg."""
    rows = latest(path)
    docs.mkdir(exist_ok=True)
    full, short = ([row for row in rows if row["short"] == told] for told in ("False", "True"))
    parts = [HEAD]
    for title, part in (("Full size", full), ("Short form", short)):
        if part:
            parts.append(f"## {title}\n\n{_table(part)}")
    parts.append("## Where\n\n" + _where(rows))
    (docs / "numbers.md").write_text("\n".join(parts))
    (docs / "numbers.svg").write_text(_bars([row for row in full or short if row["equal"] == "True"]))


def _table(rows):
    lines = [
        "| case | size | threads | rival | CPU s, rival / ours | ratio | wall s, rival / ours | ratio "
        "| floor | goal | peak MB, rival / ours |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        clocks = []
        for clock in ("cpu", "wall"):
            if row["equal"] == "True":
                ratio = f"**{_three(row[f'{clock}_ratio'])}**"
                clocks += [f"{_three(row[f'{clock}_rival'])} / {_three(row[f'{clock}_ours'])}", ratio]
            else:
                clocks += ["NOT EQUAL", ""]
        cells = [row["case"], row["size"], row["threads"], row["rival"], *clocks, row["floor"], row["goal"]]
        lines.append("| " + " | ".join([*cells, f"{row['peak_rival']} / {row['peak_ours']}"]) + " |")
    return "\n".join(lines) + "\n"


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
