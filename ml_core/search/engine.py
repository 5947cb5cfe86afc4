"""Drive a strategy over a problem: candidates out, scores back, and what came of all of them.

The strategy never sees data; where candidates are judged is the engine's business: ``Local`` here, anything
that takes its arguments elsewhere. What is finished goes to the journal first, and is not done again.
"""

import contextlib
import json
import warnings
from collections.abc import Callable

import numpy as np

from ml_core.models.racing import stages
from ml_core.progress import Board
from ml_core.search.budget import Budget
from ml_core.search.journal import Journal
from ml_core.search.local import Local
from ml_core.search.outofbag import check_bags
from ml_core.search.problem import Problem
from ml_core.search.space import Space
from ml_core.search.subject import check_names
from ml_core.search.trials import Table, Trials, joined
from ml_core.search.units import planned

PIECE = 20  # candidates that are judged before a budget of seconds or patience is looked at again


def search(
    problem: Problem,
    space: Space,
    strategy,
    engine: Callable | None = None,
    record: Journal | None = None,
    budget: Budget | None = None,
) -> Trials:
    """Ask ``strategy`` for candidates of ``space`` until it or ``budget`` ends; have ``engine`` judge them.

    ``record`` hears of each finished unit of work at once, and is asked before anything is done.
    """
    check_space(problem, space)
    check_bags(problem, space)
    if hasattr(strategy, "fitting"):
        strategy = strategy.fitting(min(len(train) for train, _ in problem.folds))
    budget = budget or Budget()
    # families share features, and a budget that is looked at cuts a batch in pieces that do
    problem.kept.once = (
        getattr(strategy, "once", False)
        and not isinstance(problem.estimator, dict)
        and budget.seconds is None
        and budget.patience is None
        and budget.race is None
    )
    rng = np.random.default_rng(getattr(strategy, "seed", 0))
    batches, means, engine = strategy.batches(space, rng), None, engine or Local()
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        # one warning a fit would bury what matters; failures are in the table
        warnings.simplefilter("ignore")
        if hasattr(engine, "opened"):
            engine = stack.enter_context(engine.opened(problem))
        session = Session(problem, engine, record or Journal(), budget)
        while session.stopped is None:
            try:
                candidates, share = batches.send(means)
            except StopIteration:
                break
            means = session.judge(candidates, share)
    found = session.trials()
    if not found.candidates and session.stopped:
        raise ValueError(f"{session.stopped} before one trial was finished; allow more")
    if not found.candidates:
        raise ValueError(f"search.strategy: {type(strategy).__name__} gave no candidate; check its settings")
    return found


def check_space(problem: Problem, space) -> None:
    """ValueError for the first axis that is no parameter of the estimator, or of the family it names."""
    if not isinstance(problem.estimator, dict):
        several = isinstance(problem.features, dict)
        check_names(problem.estimator, [name for name in space.axes if name != "features" or not several])
        return
    for name in space.axes:
        family, dot, parameter = name.partition(".")
        if dot and family in problem.estimator:
            check_names(problem.estimator[family], [parameter], f"model.families.{family}.space")
        elif dot or name not in ("family", "features"):
            families = ", ".join(problem.estimator)
            raise ValueError(f"search: the space has {name!r}, but the families are {families}")


class Session:
    """One search on its way: what was tried, and whether it goes on."""

    def __init__(self, problem, engine, journal, budget):
        self.problem, self.engine, self.journal, self.budget = problem, engine, journal, budget
        self.tried, self.stopped = [], None
        self.board, self.bests, self.most = Board("search"), [], 0.0

    def judge(self, candidates, share):
        """Mean scores (k,) of a batch; fewer when the budget ends within it."""
        candidates, before = list(candidates), len(self.tried)
        done = sum(len(batch.candidates) for batch in self.tried)
        room = (self.budget.trials or np.inf) - done
        if len(candidates) >= room:
            candidates = candidates[: int(room)]
        watched = self.budget.seconds is not None or self.budget.patience is not None
        size = PIECE if watched else max(len(candidates), 1)
        for first in range(0, len(candidates), size):
            self.tried.append(self._piece(candidates[first : first + size], float(share)))
            if self.stopped or self._lost_patience():
                break
        if not self.stopped and len(candidates) >= room:
            self.stopped = f"search.budget.trials={self.budget.trials} are done"
        if self.budget.race:
            return self.trials().expected[done:]
        return np.concatenate([batch.mean for batch in self.tried[before:]] or [np.empty(0)])

    def trials(self):
        """All batches as one table."""
        return joined(self.tried, self.problem, self.stopped)

    def _piece(self, candidates, share):
        """Trials of candidates; without those that were not finished when the time was over."""
        table, f, race = Table(self.problem, candidates, share), len(self.problem.folds), self.budget.race
        for folds in stages(f) if race else [tuple(range(f))]:
            waiting = []
            for unit in planned(self.problem, candidates, share, (np.flatnonzero(~table.outrun), folds)):
                found = self.journal.found(unit)
                if found is None:
                    waiting.append(unit)
                else:
                    table.put(found)
            if waiting and not self._out_of_time():
                self._work(waiting, table)
            if race:
                table.race(folds[-1] + 1, self._rivals(share), race)
        return table.finished()

    def _rivals(self, share):
        """Scores (trials, f) of the batches before on the same share of the rows."""
        whole = self.trials()
        return whole.scores[whole.shares == share]

    def _work(self, waiting, table):
        """Have the engine do units, until the time is over."""
        results = self.engine(self.problem, waiting)
        try:
            for unit, found in results:
                self.journal.add(unit, found)
                table.put(found)
                self._show(table, unit)
                if self._out_of_time():
                    break
        except KeyboardInterrupt:
            raise KeyboardInterrupt(self._so_far(table)) from None
        finally:
            self.board.close()
            if hasattr(results, "close"):
                results.close()

    def _show(self, table, unit):
        if not self.board.live:
            return
        if table.share > self.most:  # scores on fewer rows are no longer compared
            self.bests, self.most = [], table.share
        for place in unit.places if table.share == self.most else ():
            if table.known[place].all():
                self.bests.append(
                    np.fmax(table.scores[place].mean(), self.bests[-1] if self.bests else np.nan)
                )
        done = sum(len(batch.candidates) for batch in self.tried)
        total = self.budget.trials or done + len(table.candidates)
        self.board.show(done + int(table.known.all(axis=1).sum()), total, self.bests)

    def _so_far(self, table):
        whole = joined([*self.tried, table.finished()], self.problem)
        order = whole.order()
        if not order:
            return ""
        best = f"{whole.mean[order[0]]:.4g} with {json.dumps(whole.candidates[order[0]], default=str)}"
        end = "; `mlcore search --take-best` ends with it" if self.journal.file is not None else ""
        return f"best of {len(whole.candidates)} trials so far: {best}{end}"

    def _out_of_time(self):
        if self.journal.closed:
            self.stopped = "the best of what was done is taken"
            return True
        seconds = self.budget.seconds
        if seconds is None or self.journal.spent < seconds:
            return False
        self.stopped = f"search.budget.seconds={seconds:g} are over"
        return True

    def _lost_patience(self):
        """Whether the patience is over; trials after the one at which it ended are dropped."""
        whole = self.trials()
        allowed = self.budget.lasts(whole.mean, whole.shares)
        if allowed is not None:
            self.stopped = f"no gain for search.budget.patience={self.budget.patience} trials"
            self.tried = [whole.only(np.arange(allowed))]
        return allowed is not None
