"""Work on Ray: on this machine or on a cluster; data is put into its object store once.

Ray starts a unit again when its worker dies. Scores are those of the local engine.
"""

import contextlib
import importlib.util
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ml_core.search.judge import judged, scorers
from ml_core.search.parts import words
from ml_core.search.problem import Problem, Result, Unit
from ml_core.search.processes import failed, served
from ml_core.search.subject import held

KNOCK = 5.0  # seconds that a cluster's address has to answer
GRACE = 60.0  # seconds beyond its own that a worker has to start, and to tell that a fit took too long
HELLO = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"  # gRPC's first words; its answer is of kind 4 too
)
LEAVE = 0.5  # seconds between a worker's answer that it was too late and its end


@dataclass(frozen=True)
class Ray:
    """Units as Ray's tasks.

    Parameters
    ----------
    address : str or None
        host:port, ray://host:port or auto; None: a Ray of our own on this machine, ended with the search.
    jobs : int or None
        Units at once; None: as many as Ray has cores. Our own Ray gets so many cores.
    retries : int
        Of a unit whose worker died.
    timeout : float or None
        Seconds of one fit; `search.trial_timeout` sets it.
    """

    address: str | None = None
    jobs: int | None = None
    retries: int = 3
    timeout: float | None = None

    def __post_init__(self):
        if self.jobs is not None and (isinstance(self.jobs, bool) or self.jobs < 1):
            raise ValueError(f"search.engine.jobs: got {self.jobs!r}, must be a whole number of 1 or more")
        if self.retries < 0:
            raise ValueError(f"search.engine.retries: got {self.retries!r}, must be 0 or more")

    @contextlib.contextmanager
    def opened(self, problem: Problem):
        """The engine while Ray is there."""
        ray = _library()
        ours = not ray.is_initialized()
        if ours:
            self._connect(ray)
        try:
            yield _Cluster(ray, self, problem).work
        finally:
            if ours:
                ray.shutdown()

    def __call__(self, problem: Problem, units: list[Unit]) -> Iterator[tuple[Unit, list[Result]]]:
        """Yield (unit, its results) as soon as they are known, in no promised order."""
        with self.opened(problem) as work:
            yield from work(problem, units)

    def _connect(self, ray):
        quiet = {"logging_level": "ERROR", "log_to_driver": False, "ignore_reinit_error": True}
        if self.address is None:
            from ml_core.kernels.workers import count

            jobs = self.jobs or count()
            ray.init(address="local", num_cpus=jobs, include_dashboard=False, **quiet)
            return
        _knock(self.address)
        if self.address.startswith("ray://") and importlib.util.find_spec("grpc") is None:
            raise ModuleNotFoundError(
                f"search.engine.address={self.address} needs Ray's client, which is not installed; type `pip "
                "install 'ray[client]'`, or give the cluster's own host:port, which needs nothing more"
            )
        code = {"py_modules": [str(Path(__file__).parents[1])]}  # what lies here runs there
        try:
            ray.init(address=self.address, runtime_env=code, **quiet)
        except Exception as error:
            raise ValueError(_dead(self.address, words(error))) from error


class _Cluster:
    """Units on their way, and what they need in Ray's object store."""

    def __init__(self, ray, engine, problem):
        self.ray, self.engine, self.problem, self.busy, self.places = ray, engine, problem, {}, {}
        self.jobs = engine.jobs or max(1, int(ray.cluster_resources().get("CPU", 1)))
        estimators = problem.estimator if isinstance(problem.estimator, dict) else {None: problem.estimator}
        self.made = ray.put((estimators, scorers(problem)))
        # a worker on this machine imports what we import; a cluster got our code when we joined it
        here = {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}}
        options = {"runtime_env": here} if engine.address is None else {}
        self.task = ray.remote(num_cpus=1, max_retries=engine.retries, **options)(_unit)

    def work(self, _, units):
        """Yield (unit, results); units that were dropped on the way are cancelled."""
        try:
            yield from served(units, self)
        finally:
            for reference in self.busy:
                self.ray.cancel(reference, force=True)
            self.busy.clear()

    def give(self, unit):
        """Have Ray do a unit."""
        part, seconds = self.problem.kept.get(self.problem, unit)
        if id(part) not in self.places:  # Ray keeps what its tasks on their way were given
            kept = {name: one for name, one in self.places.items() if self.problem.kept.keeps(one[0])}
            self.places = kept
            self.places[id(part)] = part, self.ray.put(part)
        fits, timeout = len(unit.places) * len(unit.folds), self.engine.timeout
        allowed = None if timeout is None else timeout * fits
        reference = self.task.remote(self.made, unit, self.places[id(part)][1], seconds, allowed)
        self.busy[reference] = unit, float("inf") if timeout is None else time.monotonic() + allowed + GRACE

    def ended(self):
        """(unit, results) of what ended, well or too late; None for a broken grid."""
        first = min(deadline for _, deadline in self.busy.values())
        patience = None if first == float("inf") else max(0.0, first - time.monotonic()) + 0.01
        ready, _ = self.ray.wait(list(self.busy), num_returns=1, timeout=patience)
        for reference in ready:
            unit, _ = self.busy.pop(reference)
            yield unit, self._results(reference, unit)
        late = [one for one, (_, deadline) in self.busy.items() if time.monotonic() > deadline]
        for reference in late:
            self.ray.cancel(reference, force=True)
            unit, _ = self.busy.pop(reference)
            yield unit, failed(unit, _late(self.engine))

    def _results(self, reference, unit):
        try:
            found = self.ray.get(reference)
            return failed(unit, _late(self.engine)) if found is None else found
        except self.ray.exceptions.OutOfMemoryError:
            return failed(unit, "MemoryError: Ray ended this fit's worker for want of memory")
        except self.ray.exceptions.RayError as error:
            return failed(unit, f"ChildProcessError: Ray: {words(getattr(error, 'cause', None) or error)}")


def _unit(made, unit, part, seconds, allowed):
    """What runs in a worker of Ray: results, or None when they took longer than ``allowed`` seconds.

    A fit cannot be ended within its process, so the worker ends soon after; Ray starts another one.
    """
    import warnings

    warnings.simplefilter("ignore")
    (estimators, judges), found = made, []

    def work():
        with held(estimators[unit.family]):
            found.append(judged(estimators[unit.family], judges, unit, part, seconds))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(allowed)
    if thread.is_alive():
        threading.Timer(LEAVE, os._exit, (1,)).start()
        return None
    return found[0]


def _late(engine):
    return f"TimeoutError: over search.trial_timeout={engine.timeout:g} s"


def _library():
    try:
        import ray
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "search/engine=ray needs the package ray, which is not installed; type "
            "`pip install 'ml-core[ray]'`, or choose search/engine=local"
        ) from None
    return ray


def _knock(address):
    """Ray itself would wait for half a minute where nobody listens, for minutes where somebody else does."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if address == "auto" or not port.isdigit():
        return
    try:
        with socket.create_connection((host, int(port)), KNOCK) as door:
            door.settimeout(KNOCK)
            door.sendall(HELLO)
            answer = door.recv(9) if os.environ.get("RAY_USE_TLS", "0") == "0" else HELLO[-9:]
    except OSError as error:
        raise ValueError(_dead(address, error.strerror or str(error))) from None
    if answer[3:4] != HELLO[-6:-5]:
        raise ValueError(_dead(address, "something else listens there"))


def _dead(address, why):
    return (
        f"search.engine.address: no Ray answers at {address} ({why}); start one with `ray start --head`, "
        "set search.engine.address=null for one on this machine, or choose search/engine=local"
    )
