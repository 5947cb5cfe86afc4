"""Scores as a Gaussian process over the unit cube, and where it promises most.

Letters: n points that have a score, d dimensions, m points asked about.
"""

import numpy as np

from ml_core.search.space import Values

LEAST, MOST = np.log([0.03, 5.0])  # length scales, in a cube of side 1
FLOOR = 3  # times as far below the best as the middle one is: no score counts as worse
NOISE = np.log([1e-6, 1e-1])  # variance of a score beside that of all scores
DRAWN, BEST, CLOSER = (
    1024,
    8,
    4,
)  # points looked at; those whose surroundings are looked at again, and how often


class Process:
    """Matern 5/2 with a length scale a dimension, fitted by the likelihood of the scores.

    Rasmussen and Williams 2006, "Gaussian processes for machine learning", chapters 2 and 5.
    """

    def __init__(self, points, scores, like=None, first=None):
        """points (n, d) in the unit cube, scores (n,).

        ``like``: a Process whose length scales and noise are taken; ``first``: one whose the fit starts from.
        """
        self.points = points
        self._middle, self._scale = scores.mean(), scores.std() or 1.0
        self._told = (scores - self._middle) / self._scale
        self._apart = (points[:, None, :] - points[None, :, :]) ** 2
        self._logs = self._fitted(first) if like is None else like._logs
        self._lengths, noise = np.exp(self._logs[:-1]), np.exp(self._logs[-1])
        kernel = _kernel(self._apart, self._lengths)[0]
        self._factor = np.linalg.cholesky(kernel + noise * np.eye(len(points)))
        self._weights = self._solved(self._told)

    def _fitted(self, first):
        """Logs of the length scales (d,) and of the noise, by the likelihood."""
        from scipy import optimize

        d = self.points.shape[1]
        bounds = [(LEAST, MOST)] * d + [tuple(NOISE)]
        starts = [np.r_[np.full(d, np.log(length)), np.log(1e-3)] for length in (0.2, 1.0)]
        starts = starts if first is None else [first._logs]
        options = {"jac": True, "bounds": bounds, "method": "L-BFGS-B", "options": {"maxiter": 30}}
        found = [optimize.minimize(self._loss, start, **options) for start in starts]
        return min(found, key=lambda one: one.fun).x

    def predict(self, points):
        """points (m, d) -> mean (m,), standard deviation (m,) of the score there."""
        from scipy.linalg import solve_triangular

        apart = (points[:, None, :] - self.points[None, :, :]) ** 2
        across = _kernel(apart, self._lengths)[0]
        half = solve_triangular(self._factor, across.T, lower=True)
        spread = np.sqrt(np.maximum(1 - (half**2).sum(axis=0), 1e-12))
        return self._middle + self._scale * (across @ self._weights), self._scale * spread

    def best(self):
        """(the best score, its point (1, d))."""
        i = int(self._told.argmax())
        return self._middle + self._scale * self._told[i], self.points[[i]]

    def _solved(self, right):
        from scipy.linalg import cho_solve

        return cho_solve((self._factor, True), right)

    def _loss(self, given):
        """Negative log likelihood and its slope by the logs of length scales and noise, with a mild prior."""
        from scipy.linalg import cho_solve

        lengths, noise, n = np.exp(given[:-1]), np.exp(given[-1]), len(self.points)
        kernel, slopes = _kernel(self._apart, lengths)
        try:
            factor = np.linalg.cholesky(kernel + noise * np.eye(n))
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(given)
        weights = cho_solve((factor, True), self._told)
        inner = np.outer(weights, weights) - cho_solve((factor, True), np.eye(n))
        slope = [
            -0.5 * (inner * (slopes * self._apart[:, :, j] / lengths[j] ** 2)).sum()
            for j in range(len(lengths))
        ]
        slope.append(-0.5 * np.trace(inner) * noise)
        loss = 0.5 * self._told @ weights + np.log(np.diag(factor)).sum()
        # few points fit any length: pull towards a half of the cube, and towards little noise
        pull = np.r_[given[:-1] - np.log(0.5), (given[-1] - np.log(1e-4)) / 4]
        return loss + 0.25 * (pull**2).sum(), np.array(slope) + 0.5 * pull * np.r_[
            np.ones(len(lengths)), 0.25
        ]


def _kernel(apart, lengths):
    """Squared differences (.., d) -> Matern 5/2 (..), and its negative slope by half the distance squared."""
    r = np.sqrt(5 * (apart / lengths**2).sum(axis=-1))
    decay = np.exp(-r)
    return (1 + r + r**2 / 3) * decay, 5 / 3 * (1 + r) * decay


def promise(process, points, best):
    """log of the expected gain over ``best`` at points (m, d) -> (m,).

    Ament, Daulton, Eriksson, Balandat and Bakshy 2023, "Unexpected improvements to expected improvement": the
    logarithm tells points apart where the gain itself is 0 in float64.
    """
    from scipy.special import log_ndtr

    mean, spread = process.predict(points)
    z = (mean - best) / spread
    density = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    # gain = spread (density + z tail); below -5 its log is that of density / z^2
    near = np.maximum(z, -5.0)
    value = np.exp(-0.5 * near**2) / np.sqrt(2 * np.pi) + near * np.exp(log_ndtr(near))
    return np.log(spread) + np.where(z > -5, np.log(value), density - 2 * np.log(-np.minimum(z, -1.0)))


def next_points(process, snap, rng):
    """Points (m, d) as ``snap`` rounds them to candidates, by what they promise, the most first."""
    best, top = process.best()
    seen = snap(np.r_[rng.random((DRAWN, top.shape[1])), _around(top, rng, 0.1)])
    for step in range(CLOSER):
        values = promise(process, seen, best)
        top = seen[np.argsort(-values, kind="stable")[:BEST]]
        seen = np.r_[seen, snap(_around(top, rng, 0.1 * 0.4**step))]
    return seen[np.argsort(-promise(process, seen, best), kind="stable")]


def _around(points, rng, width):
    """32 points near each of (k, d), within the cube."""
    moved = np.repeat(points, 32, axis=0)
    return np.clip(moved + width * rng.normal(size=moved.shape) * (rng.random(moved.shape) < 0.7), 0, 1)


def clipped(scores):
    """Scores (n,) without how bad the bad ones are: a cliff far off would set the scale for the rest."""
    best = scores.max()
    return np.maximum(scores, best - FLOOR * (best - np.median(scores)))


class Gaussian:
    """A Process over a Space: ranges are a dimension, lists that ascend too, other lists one a value.

    Jones, Schonlau and Welch 1998, "Efficient global optimization of expensive black-box functions". A
    candidate that has no score yet is taken to score what the process expects there.
    """

    def __init__(self, space, rng, start):
        self.space, self.rng = space, rng
        self._points, self._scores, self._waiting, self._fitted = [], [], {}, None
        self._widths = [_width(axis) for axis in space.axes.values()]

    def propose(self, known):
        """The candidate that promises most among those not in ``known`` (a set of repr), if one is found."""
        from threadpoolctl import threadpool_limits

        if len(self._scores) < 2 or not sum(self._widths):
            return self.space.draw(self.rng)
        with threadpool_limits(limits=1, user_api="blas"):  # more would change the last digits
            ranked = next_points(self._process(), self._snapped, self.rng)
        best = self._candidate(ranked[0])
        for point in ranked[:100]:
            candidate = self._candidate(point)
            if repr(candidate) not in known:
                self._waiting[repr(candidate)] = self._point(candidate)
                return candidate
        return best

    def learn(self, candidates, scores):
        """Scores, all of them numbers, of candidates from here or elsewhere."""
        for candidate, score in zip(candidates, scores, strict=True):
            self._waiting.pop(repr(candidate), None)
            self._points.append(self._point(candidate))
            self._scores.append(score)

    def _process(self):
        if len(self._fitted.points if self._fitted else ()) < len(self._scores):
            scores = clipped(np.array(self._scores))
            self._fitted = Process(np.array(self._points), scores, first=self._fitted)
        if not self._waiting:
            return self._fitted
        open_ = np.array(list(self._waiting.values()))
        scores = np.r_[clipped(np.array(self._scores)), self._fitted.predict(open_)[0]]
        return Process(np.r_[np.array(self._points), open_], scores, self._fitted)

    def _point(self, candidate):
        """(d,) in the unit cube."""
        parts = [_coded(axis, candidate[name]) for name, axis in self.space.axes.items()]
        return np.concatenate(parts) if parts else np.empty(0)

    def _candidate(self, point):
        cells = np.split(point, np.cumsum(self._widths)[:-1])
        return {
            name: _decoded(axis, cell)
            for (name, axis), cell in zip(self.space.axes.items(), cells, strict=True)
        }

    def _snapped(self, points):
        """Points (m, d) moved to where candidates can be."""
        parts = np.split(points, np.cumsum(self._widths)[:-1], axis=1)
        axes = self.space.axes.values()
        return np.concatenate([_rounded(axis, part) for axis, part in zip(axes, parts, strict=True)], axis=1)


def _is_list(axis):
    """Whether an axis is a list without an order, which takes a dimension a value."""
    return isinstance(axis, Values) and not axis.ascends


def _width(axis):
    return len(axis.values) * (len(axis.values) > 1) if _is_list(axis) else 1


def _coded(axis, value):
    if _is_list(axis):
        found = np.zeros(_width(axis))
        found[axis.place(value) : axis.place(value) + 1] = 1
        return found
    if isinstance(axis, Values):
        return np.array([axis.place(value) / (len(axis.values) - 1)])
    return np.array([axis.share(value)])


def _decoded(axis, cell):
    if _is_list(axis):
        return axis.values[int(cell.argmax()) if len(cell) else 0]
    if isinstance(axis, Values):
        return axis.values[round(float(cell[0]) * (len(axis.values) - 1))]
    return axis.at(min(max(float(cell[0]), 0.0), 1.0))


def _rounded(axis, part):
    if _is_list(axis):
        return np.equal(part.argmax(axis=1)[:, None], np.arange(part.shape[1])) * 1.0 if part.size else part
    if isinstance(axis, Values):
        steps = len(axis.values) - 1
        return np.round(part * steps) / steps
    if axis.whole:
        return np.array([[axis.share(axis.at(float(share)))] for share in part[:, 0]])
    return part
