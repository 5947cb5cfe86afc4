"""Whether two runs answer the same question: task, target, classes, features."""

from ml_core.gates.verdict import Verdict
from ml_core.outcome import CheckFailed
from ml_core.promotion.contenders import Recorded

GATE = "comparable"
WAY_OUT = "; where that is meant, give it a name of its own: promote.model=NAME"


def comparable(candidate: Recorded, champion: Recorded | None, new_features: bool = False) -> Verdict:
    """Pass where the two may be compared; a candidate that saw the champion's test rows may not."""
    if champion is None:
        return Verdict(GATE, True, "there is no champion yet, so nothing to compare with", judged=False)
    try:
        reasons = [
            *_question(candidate.table, champion.table),
            *_features(candidate.table["kinds"], champion.table["kinds"], new_features),
        ]
        champion.path  # noqa: B018  raises where the champion's model is gone, or is not what it was
    except CheckFailed as refusal:
        reasons = [str(refusal)]
    if reasons:
        return Verdict(GATE, False, "; ".join(reasons))
    return Verdict(GATE, True, "same task, target, classes and features")


def _question(new, old):
    for what in ("task", "target"):
        if new[what] != old[what]:
            return [f"the candidate's {what} is {new[what]}, the champion's {old[what]}{WAY_OUT}"]
    if sorted(map(str, new["classes"])) != sorted(map(str, old["classes"])):
        shown = [", ".join(map(str, table["classes"])) or "none" for table in (new, old)]
        return [f"the candidate's classes are {shown[0]}, the champion's {shown[1]}{WAY_OUT}"]
    return []


def _features(new, old, new_features):
    """Callers send the champion's columns: a candidate that needs more of them breaks every caller."""
    more, fewer = [name for name in new if name not in old], [name for name in old if name not in new]
    other = [
        f"{name} ({new[name]}, was {old[name]})" for name in new if name in old and new[name] != old[name]
    ]
    if new_features:
        more = fewer = []
    parts = [
        f"{words} {', '.join(names[:10])}{' and more' if len(names) > 10 else ''}"
        for words, names in (("it needs also", more), ("it lacks", fewer), ("it takes otherwise", other))
        if names
    ]
    if not parts:
        return []
    advice = "" if other else "; once callers know: promote.new_features=true"
    return [f"the candidate has other features than the champion: {', '.join(parts)}{advice or WAY_OUT}"]
