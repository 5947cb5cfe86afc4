"""Ctrl-C that waits for what is written in place."""

import os
import signal
import threading
from collections.abc import Callable


class Interrupts:
    """Ctrl-C ends a step at once, but waits while DVC writes its own files, which it does in place.

    A second Ctrl-C does not wait. Outside the main thread, where Python hears no signal, it does nothing.
    """

    def __init__(self):
        self.hears, self.waiting = False, False

    def __enter__(self):
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:
            self._before = signal.signal(signal.SIGINT, self._arrived)
        return self

    def __exit__(self, kind, error, trace):
        if self._main:
            signal.signal(signal.SIGINT, self._before)
        if self.waiting and kind is None:
            raise KeyboardInterrupt

    def _arrived(self, number, frame):
        if self.hears or self.waiting:
            raise KeyboardInterrupt
        self.waiting = True
        os.write(2, b"interrupted: stops as soon as DVC's files are whole; once more to stop at once\n")

    def heard(self, call: Callable[[str], None]) -> Callable[[str], None]:
        """``call``, but open to interrupts while it lasts."""

        def interruptible(name):
            self.hears = True
            try:
                if self.waiting:
                    raise KeyboardInterrupt
                return call(name)
            finally:
                self.hears = False

        return interruptible
