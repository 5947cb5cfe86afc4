"""What is searched where several families of models are: each estimator, each features setting, one space."""

import difflib

from ml_core.search import scoring, subject
from ml_core.search.problem import resolved
from ml_core.search.space import Joint
from ml_core.search.vote import NAME, voting


def stated(model, features, table, y, metrics):
    """(estimator, features, space, {metric: scorer}) as a model's params state them for a table.

    ``y`` (n,) is the target, ``metrics`` the name of one or a list. Where the model has families, the first
    two are dicts, and the space is a Joint of those families that fit the task and can be judged so.
    """
    if not model.get("families"):
        estimator, space = subject.pick(model, table.task, table.target)
        features = subject.ready(features, table.kinds, estimator)
        return estimator, features, space, scoring.chosen(metrics, table.task, y, estimator)
    found = {
        name: subject.pick(node, table.task, table.target, f"model.families.{name}")
        for name, node in fitting(model, table)
    }
    estimators = {name: estimator for name, (estimator, _) in found.items()}
    scorers, judged = _judged(metrics, table.task, y, estimators)
    uses = {name: settings(model, name) for name in judged}
    space = Joint(
        {name: found[name][1] for name in judged},
        {name: used for name, used in uses.items() if used},
        {name: model["families"][name].get("cost") or 1 for name in judged},
    )
    made = prepared(model, features, table.kinds, {name: estimators[name] for name in judged})
    return {name: estimators[name] for name in judged}, made, space, scorers


def fitting(model, table):
    """[(family, its node)] of those that are wanted and have an estimator for the table's task."""
    families = {name: node for name, node in model["families"].items() if node is not None}
    for name in model.get("only") or ():
        if name not in families:
            near = difflib.get_close_matches(str(name), families, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ValueError(
                f"model.only: there is no family {name!r}; {hint}there are {', '.join(families)}"
            )
    for name, node in families.items():
        if not isinstance(node, dict) or "estimator" not in node:
            raise ValueError(
                f"model.families.{name}: got {node!r}, must have an estimator, as conf/model/*.yaml"
            )
    wanted = [name for name in families if name in (model.get("only") or families)]
    found = [(name, families[name]) for name in wanted if _fits(families[name], table.task)]
    if not found:
        raise ValueError(
            f"model.families: none of {', '.join(wanted) or 'them'} fits {table.task}; name others in "
            "conf/search, or set data.task"
        )
    return found


def settings(model, family):
    """Names of the features settings that a family may use; () where there are none."""
    known = model.get("features") or {}
    names = model["families"][family].get("features") or list(known)
    names = [names] if isinstance(names, str) else names
    for name in names:
        if name not in known:
            raise ValueError(
                f"model.families.{family}.features: there is no setting {name!r}; model.features has "
                f"{', '.join(known) or 'none'}"
            )
    return tuple(names)


def prepared(model, features, kinds, estimators):
    """{setting: features}, ready for the families that use it; the features section's where there is none."""
    if not model.get("features"):
        for estimator in estimators.values():
            features = subject.ready(features, kinds, estimator)
        return features
    made = {}
    for family, estimator in estimators.items():
        for name in settings(model, family):
            made[name] = subject.ready(made.get(name, model["features"][name]), kinds, estimator)
    return made


def settled(model, features, table, params, where):
    """(estimator, features) of a candidate or a blend, ``params``; ``where`` names its file in messages."""
    if NAME in params:
        members = []
        for one in params[NAME]:
            estimator, own = settled(model, features, table, one["params"], where)
            members.append((one["weight"], own, estimator))
        return voting(members, table.kinds)[::-1]
    if not model.get("families"):
        estimator, _ = subject.pick(model, table.task, table.target)
        features = subject.ready(features, table.kinds, estimator)
        subject.check_names(estimator, params, where=where)
        return estimator.set_params(**params), features
    family = params.get("family")
    node = model["families"].get(family)
    if node is None:
        raise ValueError(f"{where}: model.families has no {family!r}; run `mlcore search` again")
    estimator, _ = subject.pick(node, table.task, table.target)
    made = prepared(model, features, table.kinds, {family: estimator})
    _, setting, own = resolved(_Both({family: estimator}, made), params)
    subject.check_names(estimator, own, where=where)
    return estimator.set_params(**own), made if setting is None else made[setting]


def leaderboard(trials):
    """[{family, score, spread, share, trials, params}], a row a family, on most rows first, then by score."""
    import numpy as np

    rows = {}
    mean, spread = trials.mean, trials.spread
    for i, candidate in enumerate(trials.candidates):
        family = candidate.get("family")
        if family is None:
            return []
        row = rows.setdefault(family, {"family": family, "trials": 0})
        row["trials"] += 1
        better = (trials.shares[i], mean[i]) > (row.get("share", 0.0), row.get("score", -np.inf))
        if better and np.isfinite(mean[i]):
            row |= {"score": float(mean[i]), "spread": float(spread[i]), "share": float(trials.shares[i])}
            row["params"] = {name: value for name, value in candidate.items() if name != "family"}
    return sorted(rows.values(), key=lambda row: (-row.get("share", 0.0), -row.get("score", -np.inf)))


class _Both:
    """As much of a Problem as ``resolved`` reads."""

    def __init__(self, estimator, features):
        self.estimator, self.features = estimator, features


def _fits(node, task):
    estimator = node["estimator"]
    return task in estimator if isinstance(estimator, dict) else subject.fits(estimator) in (None, task)


def _judged(metrics, task, y, estimators):
    """({metric: scorer}, families that can be judged by them); ValueError when none can."""
    order = sorted(estimators, key=lambda name: not hasattr(estimators[name], "predict_proba"))
    scorers, able, refusal = None, [], None
    for name in order:
        try:
            found = scoring.chosen(metrics if scorers is None else [*scorers], task, y, estimators[name])
        except ValueError as error:
            refusal = refusal or error
            continue
        scorers = scorers or found
        able.append(name)
    if scorers is None:
        raise refusal
    return scorers, [name for name in estimators if name in able]
