"""A blend as one estimator: its members vote, each with features of its own."""

from sklearn.base import is_classifier

from ml_core.search.subject import one_job

NAME = "blend"  # in best.json and in the leaderboard


def voting(members, kinds=None):
    """[(weight, features, estimator)] -> (features, estimator) of the blend; nothing is fitted."""
    from sklearn.ensemble import VotingClassifier, VotingRegressor
    from sklearn.pipeline import Pipeline

    from ml_core.features.whole import Whole

    parts = [
        (f"member{i}", Pipeline([("features", features), ("model", one_job(estimator))]))
        for i, (_, features, estimator) in enumerate(members)
    ]
    weights = [weight for weight, _, _ in members]
    if is_classifier(members[0][2]):
        return Whole(kinds), VotingClassifier(parts, voting="soft", weights=weights)
    return Whole(kinds), VotingRegressor(parts, weights=weights)
