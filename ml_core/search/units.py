"""A batch of candidates -> units of work: together where the estimator can, else one fit at a time."""

from dataclasses import replace

from ml_core.search.problem import Unit, estimator_of, resolved


def planned(problem, candidates, share, some=None):
    """Units that cover every candidate on every fold, or ``some``: (places of candidates, numbers of folds).

    Single fits go candidate by candidate, so that most are finished whenever the search ends; fold by fold
    where the features of all folds are too many to be kept.
    """
    wanted, folds = some or (range(len(candidates)), tuple(range(len(problem.folds))))
    found, wanted = [], set(wanted)
    for (family, setting), members in grouped(problem, candidates).items():
        members = [(i, own) for i, own in members if i in wanted]
        if not members:
            continue
        places = tuple(i for i, _ in members)
        own, params = tuple(candidates[i] for i, _ in members), tuple(given for _, given in members)
        whole = Unit(family, setting, float(share), places, own, params, folds, True)
        able = problem.together and hasattr(estimator_of(problem, family), "score_many")
        if able and not problem.kept.learns(problem, setting):
            found.append(whole)
        elif able:
            found += [replace(whole, folds=(j,)) for j in folds]
        else:
            alone = singles(whole)
            found += sorted(alone, key=lambda unit: unit.places) if fits_in(problem) else alone
    return found


def fits_in(problem):
    """Whether the features of all folds can be kept, were they four numbers for each of the table's cells."""
    rows, columns = problem.X.shape
    return 4 * 8 * rows * columns * len(problem.folds) <= problem.kept.most


def singles(unit):
    """The unit's fits, one a unit."""
    return [
        Unit(unit.family, unit.features, unit.share, (place,), (candidate,), (params,), (j,), False)
        for j in unit.folds
        for place, candidate, params in zip(unit.places, unit.candidates, unit.params, strict=True)
    ]


def grouped(problem, candidates):
    """{(family, features setting): [(place, the estimator's own parameters)]}, in order of appearance."""
    groups = {}
    for i, candidate in enumerate(candidates):
        family, setting, own = resolved(problem, candidate)
        groups.setdefault((family, setting), []).append((i, own))
    return groups
