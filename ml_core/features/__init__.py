"""Frames of any kind -> numbers for a model."""
