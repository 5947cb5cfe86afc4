"""Optuna's tree of Parzen estimators, asked and told one candidate at a time; its only importer."""

import warnings

from ml_core.search.space import Values


class Parzen:
    """Optuna's study of a Space.

    Bergstra, Bardenet, Bengio and Kegl 2011, "Algorithms for hyper-parameter optimization". A candidate that
    has no score yet is taken for a bad one (constant liar), so that the next is sought elsewhere.
    """

    def __init__(self, space, rng, start):
        self.space = space
        self._trials = {}  # repr(candidate) -> Optuna's trial that waits for its score
        self._study = _silently(_made, start, int(rng.integers(2**31)))

    def propose(self, known):
        """The candidate that promises most, which may be in ``known`` (a set of repr) all the same."""
        trial = _silently(self._study.ask)
        candidate = self._suggested(trial)
        if repr(candidate) in known:
            self._drop(trial)
        else:
            self._trials[repr(candidate)] = trial
        return candidate

    def learn(self, candidates, scores):
        """Scores, all of them numbers, of candidates from here or elsewhere."""
        for candidate, score in zip(candidates, scores, strict=True):
            trial = self._trials.pop(repr(candidate), None) or self._entered(candidate)
            _silently(self._study.tell, trial, score)

    def _entered(self, candidate):
        axes = self.space.axes
        self._study.enqueue_trial({name: _inner(axes[name], value) for name, value in candidate.items()})
        trial = _silently(self._study.ask)
        self._suggested(trial)
        return trial

    def _suggested(self, trial):
        return _silently(self.space.walk, lambda name, axis: _value(trial, name, axis))

    def _drop(self, trial):
        from optuna.trial import TrialState

        _silently(self._study.tell, trial, None, TrialState.FAIL)


def _made(start, seed):
    import optuna

    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=start, multivariate=True)
    return optuna.create_study(direction="maximize", sampler=sampler, pruner=optuna.pruners.NopPruner())


def _silently(call, *arguments):
    """What ``call`` returns; Optuna says neither that a study began nor that a setting is new."""
    from optuna import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call(*arguments)
    finally:
        logging.set_verbosity(before)


def _value(trial, name, axis):
    """A value of the axis; lists go by place: Optuna takes neither lists in lists nor 1 beside true."""
    if isinstance(axis, Values):
        last = len(axis.values) - 1
        if axis.ascends:
            return axis.values[trial.suggest_int(name, 0, last)]
        return axis.values[trial.suggest_categorical(name, range(last + 1))]
    if axis.whole:
        return trial.suggest_int(name, axis.low, axis.high, log=axis.log)
    return axis.near(trial.suggest_float(name, axis.low, axis.high, log=axis.log))


def _inner(axis, value):
    """What Optuna knows a value by."""
    return axis.place(value) if isinstance(axis, Values) else value
