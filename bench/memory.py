"""What a process holds in memory, from /proc; None where the system does not tell."""

import contextlib
import ctypes
from pathlib import Path

SELF = Path("/proc/self")


def held():
    """MB this process holds now, what it has freed given back first."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    return _told(SELF, "VmRSS")


def forget_peak():
    """Count the peak from now on -> MB that each worker process holds, for ``peak_of_workers``."""
    for process in (SELF, *_workers()):
        with contextlib.suppress(OSError):
            (process / "clear_refs").write_text("5")
    return {process: _told(process, "VmRSS") or 0 for process in _workers()}


def peak():
    """The most MB this process has held since ``forget_peak``."""
    return _told(SELF, "VmHWM")


def peak_of_workers(before):
    """The most MB that one process started by this one took since then, beyond what it held ``before``.

    Of one alone: they share pages with each other, which would count in each.
    """
    taken = [(_told(process, "VmHWM") or 0) - held for process, held in before.items()]
    return max(taken, default=0)


def _workers():
    import psutil

    return [Path("/proc") / str(process.pid) for process in psutil.Process().children(recursive=True)]


def _told(process, name):
    try:
        lines = (process / "status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name + ":")), None)
