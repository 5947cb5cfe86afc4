import os
import shutil
import subprocess
import sys

from ml_core.kernels import jit, kept


def test_another_source_means_another_cache(tmp_path, monkeypatch):
    for name, text in {
        "jit.py": "a",
        "records.py": "b",
        "x.py": "from ml_core.kernels.jit import jit",
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "plain.py").write_text("")
    monkeypatch.setattr(kept, "__file__", str(tmp_path / "kept.py"))
    found = []
    for name, text in (("plain.py", "x"), ("x.py", "from ml_core.kernels.jit import jit  # edited")):
        kept.folder.cache_clear()
        found.append(jit.folder())
        (tmp_path / name).write_text(text)
    kept.folder.cache_clear()
    found.append(jit.folder())
    monkeypatch.undo()
    kept.folder.cache_clear()
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
        found.add(jit.folder())
    assert len(found) == 2


CLONE = """
import sys
sys.path.insert(0, sys.argv[1])
from ml_core.kernels import jit
from ml_core.kernels.own import twice
assert jit.__file__.startswith(sys.argv[1])
twice(2)
print(sum(twice.stats.cache_hits.values()), jit.folder())
"""
OWN = "from ml_core.kernels.jit import jit\n@jit()\ndef twice(x):\n    return 2 * x\n"


def test_equal_sources_share_their_code_wherever_they_lie(tmp_path):
    hits, folders = [], set()
    for place, source in (("a", OWN), ("b", OWN), ("c", OWN.replace("2 * x", "x + x"))):
        kernels = tmp_path / place / "ml_core/kernels"
        kernels.mkdir(parents=True)
        for path in (kernels / "__init__.py", kernels.parent / "__init__.py"):
            path.write_text("")
        for module in (jit, kept):
            shutil.copy(module.__file__, kernels)
        (kernels / "own.py").write_text(source)
        done = subprocess.run(
            [sys.executable, "-c", CLONE, str(tmp_path / place)],
            env=os.environ | {"MLCORE_KERNELS": str(tmp_path / "shared")},
            capture_output=True,
            text=True,
            check=True,
        )
        hit, found = done.stdout.split(maxsplit=1)
        hits.append(int(hit))
        folders.add(found)
    assert hits == [0, 1, 0] and len(folders) == 2


def test_two_that_compile_at_once_never_get_each_others_code(tmp_path, monkeypatch):
    """Both looked before either wrote: what numba's own numbered files mix up."""
    first, second = (jit.Entries(str(tmp_path), "name", "stamp") for _ in range(2))
    monkeypatch.setattr(jit.IndexDataCacheFile, "_load_index", lambda _: {})
    first.save("float32", b"code for float32")
    second.save("float64", b"code for float64")
    assert first.load("float64") == b"code for float64"
    assert second.load("float32") == b"code for float32"


def test_code_of_another_signature_or_release_or_cut_short_is_not_taken(tmp_path):
    own = jit.Entries(str(tmp_path), "name", "stamp")
    own.save("a", b"code")
    assert own.load("b") is None
    assert jit.Entries(str(tmp_path), "name", "edited").load("a") is None
    (file,) = tmp_path.iterdir()
    file.rename(tmp_path / own._name("b"))
    assert own.load("b") is None
    own.save("a", b"code")
    path = tmp_path / own._name("a")
    path.write_bytes(path.read_bytes()[:9])
    assert own.load("a") is None


def test_what_was_compiled_is_known_without_a_compiler(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "folder", lambda checked: tmp_path / str(checked))
    monkeypatch.delenv("NUMBA_BOUNDSCHECK", raising=False)
    (tmp_path / "False").mkdir()
    assert not kept.holds("grow.grow")
    (tmp_path / "False/grow.grow-209.py311.7.nbc").touch()
    assert kept.holds("grow.grow") and not kept.holds("grow.gro")
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", "1")
    assert not kept.holds("grow.grow")
    words = "import sys; from ml_core.kernels import kept; kept.holds('x'); print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
