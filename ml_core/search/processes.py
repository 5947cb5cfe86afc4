"""Work on this machine in processes: for fits that hold Python's lock, that may hang, or that eat the memory.

Data goes through files that every process maps; a process that hangs or dies costs its fit, and no more.
"""

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Pipe, wait
from pathlib import Path

import numpy as np

from ml_core.search.judge import scorers
from ml_core.search.problem import Problem, Result, Unit
from ml_core.search.units import singles

SCRATCH = "mlcore-search-"


@dataclass(frozen=True)
class Processes:
    """Units in processes of their own.

    Parameters
    ----------
    jobs : int or None
        Processes; None: one a core.
    timeout : float or None
        Seconds of one fit; `search.trial_timeout` sets it.
    """

    jobs: int | None = None
    timeout: float | None = None

    def __post_init__(self):
        if self.jobs is not None and (isinstance(self.jobs, bool) or self.jobs < 1):
            raise ValueError(f"search.engine.jobs: got {self.jobs!r}, must be a whole number of 1 or more")

    @contextlib.contextmanager
    def opened(self, problem: Problem):
        """The engine while its processes live: they serve every batch of a search."""
        from ml_core.kernels.workers import count

        with contextlib.ExitStack() as stack:
            pool = _Pool(problem, self.jobs or count(), self.timeout, stack)
            yield pool.work

    def __call__(self, problem: Problem, units: list[Unit]) -> Iterator[tuple[Unit, list[Result]]]:
        """Yield (unit, its results) as soon as they are known, in no promised order."""
        with self.opened(problem) as work:
            yield from work(problem, units)


class _Pool:
    """Processes that are started when there is work for them."""

    def __init__(self, problem, jobs, timeout, stack):
        self.problem, self.jobs, self.timeout, self.idle, self.busy = problem, jobs, timeout, [], {}
        self.payload, self.places, self.numbers = _payload(problem), {}, itertools.count()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-"))
        stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        stack.callback(self.end)
        _sweep(self.folder.parent)

    def work(self, _, units):
        """Yield (unit, results); units that were dropped on the way end with their process."""
        try:
            yield from served(units, self)
        finally:
            for worker in list(self.busy):
                self._stop(worker)

    def end(self):
        """End every process."""
        for worker in [*self.busy, *self.idle]:
            self._stop(worker)

    def give(self, unit):
        """Have a process do a unit."""
        part, seconds = self.problem.kept.get(self.problem, unit)
        place = self.places.get(id(part), (None, None))[1]
        if place is None:
            import joblib

            self._forget()
            place = str(self.folder / f"part-{next(self.numbers)}")
            joblib.dump(part, place)
            self.places[id(part)] = part, place  # the part stays alive, so that its id stays its own
        worker = self.idle.pop() if self.idle else _Worker(self.payload, self.jobs)
        worker.begin(unit, place, seconds, self.timeout)
        self.busy[worker] = unit

    def _forget(self):
        """Remove what was written of parts that are forgotten; those that a process was just sent stay."""
        sent = {worker.place for worker in self.busy}
        for name, (part, place) in list(self.places.items()):
            if place not in sent and not self.problem.kept.keeps(part):
                del self.places[name]
                Path(place).unlink(missing_ok=True)

    def ended(self):
        """(unit, results) of what ended: well, too late or with its process; None for a broken grid."""
        ready = wait([worker.pipe for worker in self.busy], timeout=self._patience())
        for worker, unit in list(self.busy.items()):
            if worker.pipe in ready:
                yield from self._heard(worker, unit)
            elif time.monotonic() > worker.deadline:
                yield unit, failed(unit, f"TimeoutError: over search.trial_timeout={self.timeout:g} s")
                self._stop(worker)

    def _heard(self, worker, unit):
        try:
            found = worker.listen()
        except (EOFError, OSError):
            code = worker.process.wait()
            self._stop(worker)
            yield unit, failed(unit, _death(code))
            return
        if found is not None:
            self.busy.pop(worker)
            self.idle.append(worker)
            yield unit, found

    def _patience(self):
        first = min(worker.deadline for worker in self.busy)
        return None if first == float("inf") else max(0.0, first - time.monotonic()) + 0.01

    def _stop(self, worker):
        self.busy.pop(worker, None)
        if worker in self.idle:
            self.idle.remove(worker)
        worker.stop()


def served(units, crew):
    """Yield (unit, results) as a crew ends them.

    ``crew`` does ``jobs`` at once: ``give(unit)`` begins one, ``busy`` are those begun, ``ended()`` waits for
    some -> (unit, results), None for a broken grid.
    """
    waiting = deque(units)
    while waiting or crew.busy:
        while waiting and len(crew.busy) < crew.jobs:
            crew.give(waiting.popleft())
        ended = list(crew.ended())
        # what broke a whole grid shows one fit at a time
        waiting.extendleft(one for unit, found in ended if found is None for one in singles(unit))
        yield from (pair for pair in ended if pair[1] is not None)


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, payload, jobs):
        self.pipe, theirs = Pipe()
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        threads = str(max(1, cores // jobs))
        environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), threads)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        words = [sys.executable, "-m", "ml_core.search.worker", str(theirs.fileno()), str(os.getpid())]
        self.process = subprocess.Popen(
            words,
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self.pipe.send_bytes(payload)
        self.task, self.deadline, self.ready = None, float("inf"), False

    def begin(self, unit, place, seconds, timeout):
        """Send a unit; its time runs once the process has started."""
        import cloudpickle

        fits, self.place = len(unit.places) * len(unit.folds), place
        self.allowed = float("inf") if timeout is None else timeout * fits
        self.pipe.send_bytes(cloudpickle.dumps((unit, place, seconds)))
        if self.ready:
            self.deadline = time.monotonic() + self.allowed

    def listen(self):
        """Results; None when the process only says that it has started."""
        import cloudpickle

        said = self.pipe.recv_bytes()
        if not self.ready:
            self.ready, self.deadline = True, time.monotonic() + self.allowed
            return None
        self.deadline = float("inf")
        return cloudpickle.loads(said)

    def stop(self):
        """End the process."""
        self.pipe.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def _payload(problem):
    """Estimators by family, and scorers, for a process that imports what it can and is sent the rest."""
    import cloudpickle

    estimators = problem.estimator if isinstance(problem.estimator, dict) else {None: problem.estimator}
    return cloudpickle.dumps((estimators, scorers(problem)))


def failed(unit, error):
    """What a unit that ended badly leaves: a row with its error; None for many fits at once."""
    if len(unit.places) > 1 or len(unit.folds) > 1:
        return None
    return [Result(unit.places[0], unit.folds[0], np.nan, error=error)]


def _death(code):
    if code == -9:
        return "MemoryError: the process of this fit was killed, most likely for want of memory"
    return f"ChildProcessError: the process of this fit ended with {'signal ' * (code < 0)}{abs(code)}"


def _sweep(folder):
    """Remove what searches that were killed left behind."""
    for path in folder.glob(f"{SCRATCH}*"):
        owner = path.name.removeprefix(SCRATCH).partition("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists() and Path("/proc").exists():
            shutil.rmtree(path, ignore_errors=True)


def timed(engine, seconds):
    """The engine that ends a fit after so many seconds; a thread cannot be ended, a process can."""
    if seconds is None:
        return engine
    if hasattr(engine, "timeout"):
        return replace(engine, timeout=float(seconds))
    return Processes(getattr(engine, "jobs", None), float(seconds))
