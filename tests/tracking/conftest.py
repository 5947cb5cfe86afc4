"""Fixtures of laid_out.py for every test here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from laid_out import alone, empty_store, make, toy  # noqa: F401
