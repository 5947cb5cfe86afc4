"""Spaces, folds and strategies: a strategy is a generator that never sees the data."""
