"""Where compiled kernels are kept, and which. Starts no compiler: who may do without one asks here first."""

import functools
import hashlib
import os
from pathlib import Path

FROZEN = ("jit.py", "records.py", "forest_records.py", "trees.py", "formulas.py", "prefetch.py")


@functools.cache
def folder(checked=False):
    """Where the machine code of exactly these sources lies.

    In MLCORE_KERNELS where that is set, else beside the sources, else in the user's cache. ``checked``:
    with bounds checks, which change the code but not Numba's key for it.
    """
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(here.glob("*.py")):
        text = path.read_bytes()
        if path.name in FROZEN or b"from ml_core.kernels.jit import" in text:
            digest.update(path.name.encode() + text)
    name = f"numba-{digest.hexdigest()[:16]}{'-checked' if checked else ''}"
    if os.environ.get("MLCORE_KERNELS"):
        return Path(os.environ["MLCORE_KERNELS"]).expanduser() / name
    beside = here / "__pycache__"
    if os.access(beside if beside.is_dir() else here, os.W_OK):
        return beside / name
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ml_core" / name


def holds(kernel):
    """Whether ``module.function`` was compiled on this machine before."""
    return any(folder(os.environ.get("NUMBA_BOUNDSCHECK") == "1").glob(f"{kernel}-*.nbc"))
