"""What every cut through the scores of two classes costs, by one sort.

Letters: n rows, m distinct scores; costs (2, 2), of truth by answer, as a confusion matrix stands.
"""

import numpy as np


def costs_of_cuts(positive, score, weight, costs):
    """positive bool (n,), score and weight (n,) -> cuts (m + 1,) falling, mean cost (m + 1,) of each.

    A row is answered yes when its score is at or above the cut: from inf, nobody, to -inf, all. Between
    neighbours the cut lies half way.
    """
    order = np.argsort(-score, kind="stable")
    falling, positive, weight = score[order], positive[order], weight[order]
    last = np.append(np.flatnonzero(falling[1:] < falling[:-1]), len(falling) - 1)
    yes = np.stack([np.cumsum(weight * ~positive)[last], np.cumsum(weight * positive)[last]])
    yes = np.hstack([np.zeros((2, 1)), yes])  # weight answered yes, by truth
    no = yes[:, -1:] - yes
    mean = (costs[:, :1] * no + costs[:, 1:] * yes).sum(axis=0) / weight.sum()
    level = falling[last]
    upper, lower = level[:-1], level[1:]
    middle = lower + (upper - lower) / 2
    middle = np.where(middle > lower, middle, upper)  # neighbours in floating point have nothing between them
    return np.concatenate([[np.inf], middle, [-np.inf]]), mean
