import os
import subprocess
import sys

from ml_core.kernels import jit


def test_another_source_means_another_cache(tmp_path, monkeypatch):
    for name, text in {
        "jit.py": "a",
        "records.py": "b",
        "x.py": "from ml_core.kernels.jit import jit",
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "plain.py").write_text("")
    monkeypatch.setattr(jit, "__file__", str(tmp_path / "jit.py"))
    found = []
    for name, text in (("plain.py", "x"), ("x.py", "from ml_core.kernels.jit import jit  # edited")):
        jit.folder.cache_clear()
        found.append(jit.folder())
        (tmp_path / name).write_text(text)
    jit.folder.cache_clear()
    found.append(jit.folder())
    monkeypatch.undo()
    jit.folder.cache_clear()
    assert found[0] == found[1] != found[2]
    assert found[0].parent.name == "__pycache__"


REACH = """
import numpy as np
from ml_core.kernels import jit
jit.folder = lambda: __import__("pathlib").Path(r"{folder}")
@jit.jit(cache=False)
def beyond(values):
    return values[len(values)]
try:
    beyond(np.ones(3))
except IndexError:
    print("caught")
"""


def test_bounds_are_checked_where_asked_and_cached_apart(tmp_path, monkeypatch):
    done = subprocess.run(
        [sys.executable, "-c", REACH.format(folder=tmp_path)],
        env=os.environ | {"NUMBA_BOUNDSCHECK": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "caught\n"
    found = set()
    for checked in (0, 1):
        monkeypatch.setattr(jit.config, "BOUNDSCHECK", checked)
        jit.folder.cache_clear()
        found.add(jit.folder())
    monkeypatch.undo()
    jit.folder.cache_clear()
    assert len(found) == 2
