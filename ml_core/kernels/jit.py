"""Numba's ``njit`` as every kernel here uses it: compiled once, kept on disk, never stale.

Numba keys its cache on the one file a function stands in; a change in a file that function calls goes unseen.
So the folder of the cache carries a digest of all these kernels' sources: any edit starts a fresh one. And it
keys it on where that file lies; here equal sources find the same code, wherever they were cloned to.
"""

import hashlib
import pickle

import numba
from numba import config
from numba.core.caching import IndexDataCacheFile, UserProvidedCacheLocator

from ml_core.kernels import kept


def folder():
    """``kept.folder`` for the code Numba makes here."""
    return kept.folder(bool(config.BOUNDSCHECK))


class Located(UserProvidedCacheLocator):
    """A function's code lies in ``folder()`` itself; numba would add a digest of the path of the source."""

    def __init__(self, py_func, py_file):
        super().__init__(py_func, py_file)
        self._cache_path = config.CACHE_DIR


class Entries(IndexDataCacheFile):
    """A file for each signature, named after it and holding it.

    Numba numbers its files and keeps the numbers in an index that each process reads and then writes back:
    two that compile two signatures at once take one number, and the code of one is later run for the
    other's arrays.
    """

    def save(self, key, data):
        """Write the code of one signature; a second writer of the same one replaces it whole."""
        self._save_data(self._name(key), (key, data))

    def load(self, key):
        """The code of this signature, or None."""
        try:
            own, data = self._load_data(self._name(key))
        except (OSError, EOFError, pickle.UnpicklingError):
            return None
        return data if own == key else None

    def _name(self, key):
        words = repr((self._version, self._source_stamp, key)).encode()
        return self._data_name_pattern.format(number=int(hashlib.sha256(words).hexdigest()[:16], 16))


def inner(**options):
    """``@inner()``: ``jit`` for what only compiled code calls. Without a door from Python, which
    unpacks every array, trees' kernels compile in an eighth less time.
    """
    return jit(no_cpython_wrapper=True, **options)


def jit(**options):
    """``@jit()``: nogil, NumPy's division, cached under ``folder()``; options as numba's.

    Loops in kernels compile far faster than NumPy's own words for them: a second for some slices assigned.
    """
    options = {"nogil": True, "error_model": "numpy", "cache": True, "no_cfunc_wrapper": True} | options

    def compile_later(function):
        before = config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES
        try:
            folder().mkdir(parents=True, exist_ok=True)
            config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = str(folder()), f"{__name__}.Located"
        except OSError:  # nowhere to write: compile anew in each process
            options["cache"] = False
        try:
            compiled = numba.njit(**options)(function)
            if options["cache"]:
                cache = compiled._cache
                place = cache._impl.locator
                cache._cache_file = Entries(
                    place.get_cache_path(), cache._impl.filename_base, place.get_source_stamp()
                )
            return compiled
        finally:
            config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = before

    return compile_later
