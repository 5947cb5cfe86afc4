"""What a process holds in memory, from /proc; None where the system does not tell."""

import contextlib
import ctypes
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def held():
    """MB this process holds now, what it has freed given back first."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    return _told("VmRSS")


def forget_peak():
    """Count the peak from now on."""
    with contextlib.suppress(OSError):
        CLEAR.write_text("5")


def peak():
    """The most MB this process has held since ``forget_peak``."""
    return _told("VmHWM")


def _told(name):
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name + ":")), None)
