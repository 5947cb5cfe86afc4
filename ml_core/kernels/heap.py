"""The k nearest so far of one query: a heap with the farthest on top, of equally far ones the latest."""

from ml_core.kernels.jit import jit


@jit()
def push(distance, index, far, i):
    """Put (far, i) in place of the top of the heap (k,) and let it sink."""
    k, here = len(distance), 0
    while True:
        child = 2 * here + 1
        if child >= k:
            break
        other = child + 1
        if other < k and (
            distance[other] > distance[child]
            or (distance[other] == distance[child] and index[other] > index[child])
        ):
            child = other
        if distance[child] < far or (distance[child] == far and index[child] < i):
            break
        distance[here], index[here] = distance[child], index[child]
        here = child
    distance[here], index[here] = far, i


@jit()
def settle(distance, index):
    """Turn a heap (k,) into ascending order: by distance, then by index."""
    for last in range(len(distance) - 1, 0, -1):
        far, i = distance[last], index[last]
        distance[last], index[last] = distance[0], index[0]
        push(distance[:last], index[:last], far, i)
