"""L-BFGS: what the last steps taught about the Hessian, on top of a near inverse of it."""


def direction(slope, pairs, inverse):
    """Minus an inverse Hessian times the slope (any shape), by the two loops of Nocedal 1980.

    ``pairs`` are the last (step, change of slope), oldest first; ``inverse`` is the inverse they correct.
    """
    R, shares = slope.copy(), []
    for step, change in reversed(pairs):
        share = (step * R).sum() / (step * change).sum()
        R -= share * change
        shares.append(share)
    R = inverse(R)
    for (step, change), share in zip(pairs, reversed(shares), strict=True):
        R += (share - (change * R).sum() / (step * change).sum()) * step
    return -R
