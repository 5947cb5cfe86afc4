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
