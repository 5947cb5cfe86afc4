"""Estimators with scikit-learn's API and names, vectorized over candidates and folds by score_many."""
