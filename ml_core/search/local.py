"""Work on this machine, in this process: as many threads as cores, where the fits leave them free."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from queue import SimpleQueue
from threading import Thread

from ml_core.search.judge import run
from ml_core.search.problem import Problem, Result, Unit, estimator_of
from ml_core.search.subject import held, is_ours


@dataclass(frozen=True)
class Local:
    """Units on threads: compiled fits let go of Python's lock, and a process more costs its imports.

    Parameters
    ----------
    jobs : int or None
        Threads; None: all cores this process may use.
    """

    jobs: int | None = None

    def __post_init__(self):
        if self.jobs is not None and (isinstance(self.jobs, bool) or self.jobs < 1):
            raise ValueError(f"search.engine.jobs: got {self.jobs!r}, must be a whole number of 1 or more")

    def __call__(self, problem: Problem, units: list[Unit]) -> Iterator[tuple[Unit, list[Result]]]:
        """Yield (unit, its results) as soon as they are known, in no promised order."""
        for family, some in groupby(units, key=lambda unit: unit.family):
            yield from self._of_family(problem, list(some), estimator_of(problem, family))

    def _of_family(self, problem, units, estimator):
        from ml_core.kernels.workers import count

        # ours use all threads themselves; a unit of score_many holds all candidates
        jobs = 1 if is_ours(estimator) else min(self.jobs or count(), len(units))
        with held(estimator):
            if jobs == 1:
                for unit in units:
                    yield unit, run(problem, unit)
                return
            yield from _on_threads(problem, units, jobs)


def _on_threads(problem, units, jobs):
    """Threads that take units in their order; those on their way when the caller leaves are waited for."""
    from threadpoolctl import ThreadpoolController

    # its limit holds in one thread only, unlike BLAS's
    openmp = ThreadpoolController().select(user_api="openmp")
    waiting, done = deque(units), SimpleQueue()

    def serve():
        with openmp.limit(limits=1):
            while waiting:
                try:
                    unit = waiting.popleft()
                except IndexError:  # another thread was faster
                    return
                try:
                    done.put((unit, run(problem, unit), None))
                except BaseException as error:
                    done.put((unit, None, error))
                    return

    def leave():
        waiting.clear()
        for thread in threads:
            thread.join()

    threads = [Thread(target=serve, daemon=True) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    try:
        for _ in units:
            unit, found, error = done.get()
            if error is not None:
                leave()
                raise error
            yield unit, found
    except GeneratorExit:
        leave()
        raise
    finally:
        waiting.clear()  # Ctrl-C waits for nobody
