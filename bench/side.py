"""One side of one case in a process of its own: it makes the data once, then runs whenever it is told to.

`side.py run CASE NAME SHORT RIVAL` reads a line per run from stdin (a path to leave the result at, or
nothing) and answers with seconds; `side.py judge CASE SHORT MINE THEIRS` says whether two results are of
equal quality; `side.py command WORDS ...` runs a command and answers with what it used.
"""

import gc
import importlib.util
import inspect
import json
import math
import os
import pickle
import resource
import subprocess
import sys
import time
from pathlib import Path

import memory

LEAST = 0.2  # seconds a run lasts at least, so that clocks can tell: short functions run several times,
MOST = 100  # but no more than this
FEWER = 10  # a short run has so many times fewer rows, unless the case names its own SHORT sizes


def load(path):
    """The case's module; it may import what another case beside it makes."""
    if (folder := str(Path(path).parent)) not in sys.path:
        sys.path.append(folder)
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # results may be instances of its classes, and must unpickle
    spec.loader.exec_module(module)
    return module


def sizes(case, short):
    """Arguments of the case's ``data``: its own defaults, SHORT, or a tenth of the rows."""
    if not hasattr(case, "data"):
        return {}
    known = {name: p.default for name, p in inspect.signature(case.data).parameters.items()}
    if not short:
        return known
    fewer = {"n": known["n"] // FEWER} if isinstance(known.get("n"), int) else {}
    return known | getattr(case, "SHORT", fewer)


def function(case, name, rival=None):
    """What a side runs: ``ours`` (against a rival) or one of RIVALS, a callable, or a command as words."""
    if name == "ours":
        return case.ours[rival] if isinstance(case.ours, dict) else case.ours
    return case.RIVALS[name]


def cpu_seconds():
    """CPU seconds of this process and of every process it started, whether ended or still there."""
    import psutil

    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = time.process_time() + ended.ru_utime + ended.ru_stime
    for process in psutil.Process().children(recursive=True):
        times = process.cpu_times()
        total += times.user + times.system
    return total


def serve(case, names, short, answer):
    """Answer each line of stdin with one run; memory is that of the data, and what the run held beside it.

    ``names``: of the side, and of the rival.
    """
    empty = memory.held()
    data = case.data(**sizes(case, short)) if hasattr(case, "data") else None
    gc.collect()
    held = memory.held()
    size = None if held is None else held - empty
    run = function(case, *names)
    answer({"ready": True})
    times = 1
    for line in sys.stdin:
        gc.collect()
        before = memory.held()
        workers = memory.forget_peak()
        wall, cpu = time.perf_counter(), cpu_seconds()
        for _ in range(times):
            result = run(data)
        told = {"wall": (time.perf_counter() - wall) / times, "cpu": (cpu_seconds() - cpu) / times}
        peak = memory.peak() or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        times = min(MOST, max(times, math.ceil(LEAST / max(told["wall"], 1e-6))))
        if line.strip():
            Path(line.strip()).write_bytes(pickle.dumps(result))
        del result
        taken = None if held is None else size + peak - before + memory.peak_of_workers(workers)
        answer(told | {"peak": peak, "memory": taken})


def judge(case, short, mine, theirs):
    """Whether the case calls two pickled results equal, and its figures where it has some."""
    data = case.data(**sizes(case, short)) if hasattr(case, "data") else None
    results = [pickle.loads(Path(path).read_bytes()) for path in (mine, theirs)]  # noqa: S301  our own, just written
    figures = case.figures(*results, data) if hasattr(case, "figures") else ""
    return {"equal": bool(case.equal(*results, data)), "figures": figures}


def command(words):
    """Run a command to its end -> {wall, cpu, peak, memory}, its own alone.

    A process starts with the peak of the one that it was forked from: this one is small.
    """
    wall = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall, process.returncode = time.perf_counter() - wall, os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words} ended with exit code {process.returncode}")
    peak = used.ru_maxrss / 1024
    return {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak": peak, "memory": peak}


def main(words):
    """Run one of the forms; whatever a side prints goes to stderr, answers alone to stdout."""
    private = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(told):
        private.write(json.dumps(told) + "\n")
        private.flush()

    if words[0] == "command":
        answer(command(words[1:]))
        return
    case = load(words[1])
    if words[0] == "run":
        serve(case, (words[2], words[4]), words[3] == "True", answer)
    else:
        answer(judge(case, words[2] == "True", *words[3:]))


if __name__ == "__main__":
    main(sys.argv[1:])
