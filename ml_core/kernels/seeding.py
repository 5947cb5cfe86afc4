"""Where k-means starts: greedy k-means++ (Arthur and Vassilvitskii 2007) for several starts in the same
passes.

Letters: n rows, k centers, t trials a step. Trials depend on the step alone, not on k: the first k seeds of
a longer chain are the chain of k seeds, so that one chain serves every number of clusters.
"""

import numpy as np

SAMPLE = 1 << 16  # rows that tell beyond which distance a row counts as an outlier
FIRST = 6  # candidates for the first center where outliers are to be kept out


def trials(step):
    """Candidates for center number ``step``: scikit-learn takes 2 + log k at every step."""
    return max(3, 2 + int(np.log(step)))


def draw(mass, places):
    """Indices at ``places`` (t,) in 0..1 along the cumulated mass (n,); none without mass while there is
    any."""
    along = np.cumsum(mass, dtype=np.float64)
    index = np.searchsorted(along, places * along[-1], side="right")
    return np.minimum(index, np.searchsorted(along, along[-1]))


def chains(rows, k, rngs, trim=0.0):
    """Indices (k,) of the seeds, one chain a generator; with ``trim`` the farthest of that share are no
    candidates."""
    far = np.full(len(rows.weight), np.inf)
    firsts = [draw(rows.weight, rng.uniform(size=FIRST if trim > 0 else 1)) for rng in rngs]
    found, near = [], []
    for points, (nearer, shares) in zip(
        firsts, rows.closer([(far, points) for points in firsts]), strict=True
    ):
        best = 0 if trim == 0 else _least(rows.weight, nearer, trim)
        found.append([int(points[best])])
        near.append((nearer[best], shares[best]))
    for step in range(1, k):
        asked = []
        for (far, shares), rng in zip(near, rngs, strict=True):
            places = rng.uniform(size=trials(step))
            if trim > 0:
                points = draw(rows.weight * np.where(far > _edge(far, trim), 0, far), places)
            else:
                points = rows.draw(far, shares, places)
            asked.append((far, points))
        for s, (nearer, shares) in enumerate(rows.closer(asked)):
            best = int(np.argmin(shares.sum(axis=1))) if trim == 0 else _least(rows.weight, nearer, trim)
            found[s].append(int(asked[s][1][best]))
            near[s] = nearer[best], shares[best]
    return [np.array(chain) for chain in found]


def _edge(far, trim):
    """Distance beyond which about the share ``trim`` of the rows lies."""
    return np.quantile(far[:: max(1, len(far) // SAMPLE)], 1 - trim)


def _least(weight, nearer, trim):
    """Which candidate leaves the least when its farthest rows count no more than the edge."""
    return int(np.argmin([np.minimum(far, _edge(far, trim)) @ weight for far in nearer]))
