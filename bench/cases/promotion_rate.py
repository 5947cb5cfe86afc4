"""400 pairs of models on 2000 rows, judged by the default gates: how often one that is equal, or better by
.010 or .020 of AUC, becomes champion; against DeLong's test alone.

Equal: no more equal models pass than there, and .07 at most; of better ones no fewer, but for .02.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import yaml
from scipy.stats import norm, rankdata

from ml_core.cli.build import allowed_packages, build
from ml_core.gates.duel import Contender, Duel
from ml_core.gates.judge import judge, passed
from ml_core.gates.packaged import Served
from ml_core.measure.predictions import Predictions

ROOT = Path(__file__).parents[2]
GAINS = (0.0, 0.010, 0.020)
AUC, SHARED = 0.80, 0.68  # of the champion; the correlation of both models' noise
SHORT, MEMORY = {"pairs": 40}, None
FALSE, LOST = 0.07, 0.02


class Asked:
    """A model that costs nothing to ask."""

    def predict(self, X):
        """X polars (n, d) -> (n,)."""
        return X["x"].to_numpy()


def data(pairs=400, n=2000):
    """{gain: [(truth, champion's and candidate's score)]}; scores are normal, d apart between the classes."""
    rng, made = np.random.default_rng(20), {}
    for gain in GAINS:
        made[gain] = []
        for _ in range(pairs):
            truth = rng.integers(2, size=n)
            common, own, other = rng.normal(size=(3, n))
            noise = SHARED**0.5 * common + (1 - SHARED) ** 0.5 * np.array([own, other])
            apart = 2**0.5 * norm.ppf([AUC, AUC + gain])
            made[gain].append((truth, *(apart[:, None] * (truth - 0.5) + noise), apart))
    return made


def predictions(truth, score, apart):
    """What a model says whose score is normal in each class: its calibrated probabilities."""
    chance = 1 / (1 + np.exp(-apart * score))
    spread = np.column_stack([1 - chance, chance])
    return Predictions("binary", (chance > 0.5).astype(int), truth, ["no", "yes"], spread, spread)


def rows(rng, n):
    return pl.DataFrame({"x": rng.normal(size=n), "region": rng.choice(["north", "south", "west"], size=n)})


def setting(n):
    """All of a duel but the contenders' answers."""
    rng, row = np.random.default_rng(0), np.arange(2 * n, dtype=np.uint64)
    train, y = rows(rng, n), np.array(["no", "yes"])[rng.integers(2, size=n)]
    sides = {
        name: Contender(name, None, trained_on=row[n:], tested_on=row[:n], path=Path(__file__), load=Asked)
        for name in ("candidate", "champion")
    }
    known = {"classes": ["no", "yes"], "quality": {"passed": True, "broken": []}}
    known["evidence"] = {"packaged": lambda: {"test": Served(n)}}  # what is registered says the same
    kinds, training = {"x": "numeric", "region": "categorical"}, (train, y, row[n:])
    return Duel(
        "binary", "y", "auc", rows(rng, n), kinds, y, row[:n], **sides, training=lambda: training, **known
    )


def duels(pairs):
    """Pairs -> their duels."""
    plain = setting(len(pairs[0][0]))
    for truth, old, new, apart in pairs:
        answers = predictions(truth, old, apart[0]), predictions(truth, new, apart[1])
        champion, candidate = (
            replace(side, says=says)
            for side, says in zip((plain.champion, plain.candidate), answers, strict=True)
        )
        labels = np.array(["no", "yes"])[truth]
        yield replace(plain, champion=champion, candidate=candidate, y=labels)


def gates():
    """The default gates as conf/gate has them; ``better`` first, since most pairs end there."""
    folder = ROOT / "conf" / "gate"
    names = [
        str(line).split("@")[0] for line in yaml.safe_load((folder / "default.yaml").read_text())["defaults"]
    ]
    nodes = {name: yaml.safe_load((folder / f"{name}.yaml").read_text()) for name in names}
    built = {name: build(node, allowed_packages(ROOT), f"gate.{name}") for name, node in nodes.items()}
    return {"better": built.pop("better")}, built


def rate(pairs):
    """Share of the pairs whose candidate passes every default gate."""
    first, rest = gates()
    promoted = [passed(judge(duel, first)) and passed(judge(duel, rest)) for duel in duels(pairs)]
    return float(np.mean(promoted))


def ours(data):
    return {gain: rate(pairs) for gain, pairs in data.items()}


def error(truth, new, old):
    """DeLong's gain and its standard error, by scipy's ranks."""
    hits, parts = truth == 1, []
    for score in (new, old):
        everywhere = rankdata(score)
        won = (everywhere[hits] - rankdata(score[hits])) / (~hits).sum()
        lost = 1 - (everywhere[~hits] - rankdata(score[~hits])) / hits.sum()
        parts.append((won, lost))
    (won, lost), (won_old, lost_old) = parts
    variance = np.var(won - won_old, ddof=1) / hits.sum() + np.var(lost - lost_old, ddof=1) / (~hits).sum()
    return won.mean() - won_old.mean(), variance**0.5


def delong(data):
    found = {}
    for gain, pairs in data.items():
        z = [np.divide(*error(truth, new, old)) for truth, old, new, _ in pairs]
        found[gain] = float(np.mean(np.array(z) > norm.ppf(0.95)))
    return found


RIVALS = {"DeLong's test": delong}


def equal(mine, theirs, data):
    better = all(mine[gain] >= theirs[gain] - LOST for gain in GAINS[1:])
    most = FALSE if len(data[0.0]) >= 400 else 0.15  # few pairs say little
    return bool(mine[0.0] <= min(most, theirs[0.0]) and better)


def figures(mine, theirs, data):
    """The shares themselves, for docs/numbers.md."""
    said = [f"+{gain:.3f}: {mine[gain]:.1%} (DeLong alone {theirs[gain]:.1%})" for gain in GAINS]
    return f"promoted of {len(data[0.0])} at a true gain of " + ", ".join(said)
