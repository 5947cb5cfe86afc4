"""No orphan goes on writing: when this process ends, by whatever, its whole group is ended too.

A process killed by -9 cannot clean up. So a shell outside the group waits for the end of a pipe that only
this process holds open, and then ends what is left of the group.
"""

import os
import subprocess
import sys


def hold() -> bool:
    """Tie the process group to this process, if it leads one (as started by a scheduler); whether it did.

    The pipe's end survives an exec and is inherited by no child of subprocess.
    """
    if sys.platform == "win32" or os.getpgrp() != os.getpid():
        return False
    ours, theirs = os.pipe()
    words = ["/bin/sh", "-c", f"read -r _; kill -9 -{os.getpid()} 2>/dev/null"]
    subprocess.Popen(
        words, stdin=ours, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    os.close(ours)
    os.set_inheritable(theirs, True)
    return True
