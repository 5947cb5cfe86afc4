"""Find the parameters with which the model does best on rows it has not seen."""

import contextlib
import json
from pathlib import Path

from ml_core.data.table import Table, features_and_target, read
from ml_core.outcome import CheckFailed, Outcome

JOURNALS = Path(".mlcore/search")  # of searches on their way


def search(out: Path, features, model: dict, search) -> Outcome:
    """Judge every candidate on every fold of the training rows; leave the table of trials, and the best."""
    from ml_core.search import journal, record
    from ml_core.search.families import leaderboard
    from ml_core.search.identity import parts

    table = read(out.parent / "prepare", "train")
    if search.blend and table.task == "clustering":
        raise ValueError("search.blend: clusterings have no answers to average; set search.blend=null")
    problem, space, metrics = stated(table, features, model, search)
    data = [out.parent / "prepare" / name for name in ("train.parquet", "table.json")]
    known = parts(problem, space, search, data)
    with journal.opened(JOURNALS, known) as kept:
        trials = looked(problem, space, search, kept)
        record.write(out, trials, metrics, table.task)
        if not trials.order():
            kept.retire()
            worst = "; ".join(f"{times} x {error}" for error, times in trials.failures()[:3])
            raise CheckFailed(
                f"all {len(trials.candidates)} candidates failed: {worst}. "
                "The table of trials lies in .mlcore/failed/search/trials.json"
            )
        best, measured = chosen(trials, search, model.get("simpler"), problem, kept)
        best["metric"] = metrics[0]
        board, said = leaderboard(trials), []
        if search.blend and not kept.closed:  # who takes the best of what is there waits for nothing new
            best, board, said = mixed(problem, trials, search, (best, board, measured), kept)
        if board:
            best["leaderboard"] = board
        if search.nested:
            best["nested"] = nested(problem, space, search, model, table, known)
        record.put(out / "best.json", best)
        kept.retire()
    return told(trials, best, kept.said + said, measured)


def stated(table: Table, features, model: dict, search):
    """(Problem, space, names of the metrics) as the params state them for this table."""
    from ml_core.search import families
    from ml_core.search.problem import Problem

    X, y, _ = features_and_target(table)
    if table.task == "regression":
        y = y.astype(float)
    estimator, features, space, scorers = families.stated(model, features, table, y, search.scoring)
    pairs = search.folds.pairs(len(X), y, table.task, column(table, search.folds.by))
    (metric, scorer), *more = scorers.items()
    return Problem(X, y, features, estimator, pairs, scorer, dict(more)), space, [*scorers]


def looked(problem, space, search, kept):
    """Trials of the whole search, as its settings have it."""
    from ml_core.search import engine
    from ml_core.search.processes import timed

    place = timed(search.engine, search.trial_timeout)
    return engine.search(problem, space, search.strategy, place, kept, search.budget)


def chosen(trials, search, simpler, problem, kept) -> tuple[dict, dict]:
    """(what best.json holds, {trial: what was measured of its model}); CheckFailed when none keeps limits."""
    from ml_core.search.choose import measured, taken
    from ml_core.search.nested import fitted

    found = {}

    def measure(place):
        name = f"measured {json.dumps(trials.candidates[place])}"
        if name not in kept.noted:  # a time taken twice may be judged twice
            kept.note(name, measured(*fitted(problem, trials.candidates[place]), problem.X))
        found[place] = kept.noted[name]
        return found[place]

    i, verdicts = taken(trials, search, simpler, measure)
    limits = {name: most for name, most in (search.limits or {}).items() if most is not None}
    if i is None:
        first = next(iter(found.values()))
        values = ", ".join(
            f"{name} {first[name]:.4g} (search.limits: {most:g})" for name, most in limits.items()
        )
        raise CheckFailed(
            f"none of {len(verdicts)} candidates keeps the limits; the best needs {values}. Allow more, or "
            "widen the space to smaller models"
        )
    best = {
        "params": trials.candidates[i],
        "score": float(trials.mean[i]),
        "spread": float(trials.spread[i]),
        "trial": i,
    }
    if limits:
        over = {place: [*one["over"]] for place, one in verdicts.items() if one["over"]}
        best["limits"] = limits | {"refused": over}
    return best, {str(place): {**values, **verdicts[place]} for place, values in found.items()}


def mixed(problem, trials, search, known, kept) -> tuple[dict, list[dict], list[str]]:
    """(best, leaderboard, what to tell) with a blend of the best trials, which is taken where it is better.

    ``known``: best, leaderboard and what was measured, without it.
    """
    from ml_core.search.blend import blended
    from ml_core.search.choose import measured, verdict
    from ml_core.search.nested import fitted
    from ml_core.search.vote import NAME

    best, board, seen = known
    found = blended(problem, trials, search.blend)
    said = [f"search.blend: without {one}" for one in found.left[:3]]
    if found.params is None:
        return best, board, [*said, "search.blend: no two of the trials are better together than one alone"]
    row = {"family": NAME, "trials": len(found.params[NAME])}
    row |= {"score": float(found.scores.mean()), "spread": float(found.scores.std()), "share": 1.0}
    row |= {"params": found.params} | ({"metrics": found.more} if found.more else {})
    limits = {name: most for name, most in (search.limits or {}).items() if most is not None}
    if limits:
        name = f"measured {json.dumps(found.params)}"
        if name not in kept.noted:
            kept.note(name, measured(*fitted(problem, found.params), problem.X))
        judged = verdict(kept.noted[name], limits)
        seen[NAME] = kept.noted[name] | judged
        row |= {"over": [*judged["over"]]} if judged["over"] else {}
    if found.better and "over" not in row:
        best = best | {name: row[name] for name in ("params", "score", "spread")} | {"trial": None}
    alone = board or [{"family": "alone", "trials": len(trials.candidates)} | _row(known[0])]
    return (
        best,
        sorted([*alone, row], key=lambda one: (-one.get("share", 0), -one.get("score", -1e300))),
        said,
    )


def _row(best):
    return {name: best[name] for name in ("score", "spread")} | {"share": 1.0, "params": best["params"]}


def nested(problem, space, search, model: dict, table: Table, known: dict) -> dict:
    """What an outer cross-validation says of the whole search; each outer fold has a journal of its own."""
    import numpy as np

    from ml_core.search import journal
    from ml_core.search.nested import estimate, outer_problems

    with contextlib.ExitStack() as stack:
        opened = []

        def look(inner, j):
            parts = known | {"outer": f"{j} of {search.nested}"}
            opened.append(stack.enter_context(journal.opened(JOURNALS / "nested", parts, alone=True)))
            return looked(inner, space, search, opened[-1])

        outer = outer_problems(problem, search, table.task, column(table, search.folds.by))
        found = estimate(problem, outer, search, model.get("simpler"), look)
        for one in opened:
            one.retire()
    scores = np.array([one.score for one in found])
    if np.isnan(scores).any():
        raise CheckFailed(f"search.nested: all candidates failed in {np.isnan(scores).sum()} outer folds")
    return {
        "score": float(scores.mean()),
        "spread": float(scores.std()),
        "folds": [{"params": one.params, "score": one.score, "inner": one.inner} for one in found],
    }


def told(trials, best: dict, said: list[str], measured: dict) -> Outcome:
    """The numbers, and what the user should hear."""
    failed, i = sum(error is not None for error in trials.errors), best["trial"]
    numbers = {"score": best["score"], "spread": best["spread"], "trials": len(trials.candidates)}
    numbers |= {"failed": failed} | ({"outrun": int(trials.outrun.sum())} if trials.outrun.any() else {})
    if i is None:  # a blend
        row = next(row for row in best["leaderboard"] if row["params"] == best["params"])
        numbers |= {f"score.{name}": value for name, value in row.get("metrics", {}).items()}
    else:
        numbers |= {f"score.{name}": float(scores[i].mean()) for name, scores in trials.more.items()}
    numbers |= {
        f"best.{row['family']}": row["score"] for row in best.get("leaderboard", ()) if "score" in row
    }
    if "nested" in best:
        numbers |= {f"nested.{name}": best["nested"][name] for name in ("score", "spread")}
    params = json.dumps(best["params"], ensure_ascii=False)
    words = [f"{best['metric']} {best['score']:.4g} with {params}", *said]
    words += [f"stopped: {trials.stopped}"] if trials.stopped else []
    if trials.shares.max() < 1:
        words.append(f"nobody was judged on all rows: the best on {trials.shares.max():.0%} of them is taken")
    words += [
        f"predict_ms of trial {place} is near its limit and may be judged otherwise on another day"
        for place, one in measured.items()
        if "predict_ms" in one["near"]
    ]
    notes = {
        "message": "; ".join(words),
        "seconds": [round(float(seconds), 6) for seconds in trials.seconds.sum(axis=1)],
    }
    return Outcome(
        numbers,
        ["trials.parquet", "trials.json", "best.json"],
        notes | ({"measured": measured} if measured else {}),
    )


def column(table: Table, name: str | None):
    """Values of a column of the table, feature or not; None for no name."""
    if name is None:
        return None
    names = table.frame.collect_schema().names()
    if name not in names:
        raise ValueError(f"search.folds.by: the table has no column {name!r}; it has {', '.join(names)}")
    return table.frame.select(name).collect()[name].to_numpy()
