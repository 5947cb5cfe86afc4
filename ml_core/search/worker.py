"""A process that fits what it is sent: `python -m ml_core.search.worker FD`, started by ``processes``.

It reads only what its parent writes into the pipe between them, and ends with its parent.
"""

import os
import sys
import threading
import time
from multiprocessing.connection import Connection

WATCH = 1.0  # seconds between two looks whether the parent still lives


def main(file: int, parent: int) -> None:
    """Take estimators and scorers, then units until the pipe closes; answer each with its results."""
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    import cloudpickle
    import joblib

    from ml_core.search.judge import judged
    from ml_core.search.subject import held

    pipe, parts = Connection(file), {}
    try:
        estimators, scorers = cloudpickle.loads(pipe.recv_bytes())
        pipe.send_bytes(b"ready")
        while True:
            unit, place, seconds = cloudpickle.loads(pipe.recv_bytes())
            if place not in parts:
                parts = {known: part for known, part in parts.items() if os.path.exists(known)}
                parts[place] = joblib.load(place, mmap_mode="r")
            estimator = estimators[unit.family]
            with held(estimator):
                found = judged(estimator, scorers, unit, parts[place], seconds)
            pipe.send_bytes(cloudpickle.dumps(found))
    except (EOFError, OSError):
        return


def _watch(parent):
    while os.getppid() == parent:
        time.sleep(WATCH)
    os._exit(1)


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    main(int(sys.argv[1]), int(sys.argv[2]))
