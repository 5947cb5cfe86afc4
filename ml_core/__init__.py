"""Continuous delivery for machine learning: declare once, run everywhere, believe the numbers."""
