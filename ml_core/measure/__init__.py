"""What a model is worth: metrics with intervals, slices, calibration, importance, dependence."""
