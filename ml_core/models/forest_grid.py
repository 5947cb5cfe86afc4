"""A whole grid of trees or forests."""

import numpy as np

from ml_core.models import scoring


def score_grid(self, X, y, candidates, folds, scorer=None):
    """Scores (candidates, folds), as one fit at a time."""
    scores = np.full((len(candidates), len(folds)), np.nan)
    return scoring.score_rest(self, (X, y), (candidates, folds), scorer, scores)
