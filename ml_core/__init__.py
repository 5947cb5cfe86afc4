"""Continuous delivery for machine learning: declare the pipeline once, run it everywhere, believe its numbers."""
