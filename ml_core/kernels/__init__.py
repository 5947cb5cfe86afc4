"""Pure arrays in, pure arrays out: numpy, scipy and numba only."""
