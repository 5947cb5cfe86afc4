"""Work on this machine, in this process: as many threads as cores, where the fits leave them free."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

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
    from joblib import Parallel, delayed
    from threadpoolctl import ThreadpoolController

    # its limit holds in one thread only, unlike BLAS's
    openmp = ThreadpoolController().select(user_api="openmp")

    def work(unit):
        with openmp.limit(limits=1):
            return unit, run(problem, unit)

    pool = Parallel(jobs, backend="threading", return_as="generator_unordered", pre_dispatch=2 * jobs)
    yield from pool(delayed(work)(unit) for unit in units)
