"""As ``boosting_fit``, with 255 leaves a tree."""

from boosting_fit import SHORT, data, equal, fits

FLOOR = {"LightGBM": 1.5, "LightGBM quantized": 1.3, "XGBoost hist": 1.8, "scikit-learn": 3}
GOAL = {"LightGBM": 2.5, "LightGBM quantized": 2, "XGBoost hist": 2.8, "scikit-learn": 5}

ours, RIVALS = fits("Classifier", leaves=255)
__all__ = ["SHORT", "data", "equal"]
