"""Whether what is searched can be judged out of bag: known before anything is fitted."""


def check_bags(problem, space) -> None:
    """ValueError, with the way out, where folds are out of bag and a model has no such rows.

    A model has to have ``score_out_of_bag(X, y, candidates, scorer)``, and to draw rows in some candidate.
    """
    if all(test is not None for _, test in problem.folds):
        return
    families = problem.estimator if isinstance(problem.estimator, dict) else {None: problem.estimator}
    able = [name for name, estimator in families.items() if hasattr(estimator, "score_out_of_bag")]
    for name, estimator in families.items():
        own = "bootstrap" if name is None else f"{name}.bootstrap"
        where = "model" if name is None else f"model.families.{name}"
        if name not in able:
            way = f"model.only=[{', '.join(able)}]" if able and name is not None else "model=forest"
            raise ValueError(
                f"search.folds.method=oob: {where} is a {type(estimator).__name__}, which has no out-of-bag "
                f"rows; set {way}, or search.folds.method=auto"
            )
        if not estimator.bootstrap and own not in space.axes:
            raise ValueError(
                f"search.folds.method=oob: {where} is {type(estimator).__name__}(bootstrap=False), of which "
                "every tree sees every row; set bootstrap: true in its yaml, or search.folds.method=auto"
            )
