"""The unit in which gradients and hessians are counted; no compiler needed."""


def units(masses, n_rows):
    """Value of one gradient unit and of one hessian unit, from what ``mass`` tells.

    Equal hessians count as one unit each: their sums are then the numbers of rows.
    """
    up, down, hessian, least, most = masses
    unit_g = max(up, down, 1e-290) / (2.0**31 - 2 * n_rows - 2)
    if least == most and most > 0:
        return unit_g, most
    return unit_g, max(hessian, 1e-290) / (2.0**32 - 2 * n_rows - 2)
