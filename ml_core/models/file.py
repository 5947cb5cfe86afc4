"""A model on disk: one skops file, the same bytes for the same model; loading it runs no code out of it.

skops names the parts of a file after addresses in memory and stamps them with the time. ``save`` renames them
after their content, drops what says nothing about the model, and leaves no date.
"""

import contextlib
import contextvars
import hashlib
import io
import json
import os
import zipfile
from collections import Counter
from pathlib import Path

SCHEMA = "schema.json"
# records that stand for values: which of them happened to be one object in memory must not show
VALUES = {
    "JsonNode", "TypeNode", "FunctionNode", "SliceNode", "TupleNode", "BytesNode", "LossNode", "DTypeNode",
    "ConstructorFromReduceNode",
}  # fmt: skip
THREADS = {"n_threads", "_n_threads"}  # scikit-learn keeps how many threads it was fitted with

_trusted = contextvars.ContextVar("trusted", default=())


@contextlib.contextmanager
def trusting(packages):
    """Let ``load`` make objects of these packages as well, as conf/allowed.yaml does for the user's own."""
    token = _trusted.set((*_trusted.get(), *packages))
    try:
        yield
    finally:
        _trusted.reset(token)


def save(model, path):
    """Write ``model`` to ``path``; it appears whole or not at all."""
    path = Path(path)
    content = dumps(model)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def dumps(model):
    """The bytes of the model's file."""
    from skops import io as skops_io

    try:
        raw = skops_io.dumps(model)
    except (TypeError, AttributeError) as error:
        raise ValueError(
            f"{type(model).__name__} cannot be kept as a file: {error}. A lambda, or a function defined "
            "inside another one, must become a named function of a module"
        ) from error
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        schema = json.loads(archive.read(SCHEMA))
        members, names = {}, {}
        for name in set(archive.namelist()) - {SCHEMA}:
            data = _without_padding(archive.read(name)) if name.endswith(".npy") else archive.read(name)
            names[name] = hashlib.sha256(data).hexdigest()[:24] + Path(name).suffix
            members[names[name]] = data
    _settle(schema, names)
    _number(schema)
    members[SCHEMA] = json.dumps(schema, separators=(",", ":")).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in sorted(members):
            archive.writestr(_entry(name), members[name])
    return out.getvalue()


def _entry(name):
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.create_system = 3  # else the file says on which system it was written
    return entry


def _without_padding(data):
    """Zero the bytes between the fields of a structured array: whatever lay in memory there was saved."""
    import numpy as np

    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype.fields is None:
        return data
    bare = bytearray(array.nbytes)
    clean = np.frombuffer(bare, array.dtype).reshape(array.shape)
    for name in array.dtype.names:
        clean[name] = array[name]
    if {"left_child", "missing_go_to_left"} <= set(array.dtype.names):
        clean["missing_go_to_left"][clean["left_child"] == -1] = 0  # never set in a leaf
    return data[: len(data) - array.nbytes] + bytes(bare)  # numpy.save might copy, and fill the gaps again


def _is_value(record):
    scalar = record["__loader__"] == "NdArrayNode" and record["__class__"] != "ndarray"
    return scalar or record["__loader__"] in VALUES


def _number(schema):
    """Number the things that occur more than once by their first occurrence; the others need no id."""
    found, waiting = [], [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if "__id__" in node:
                found.append(node)
            waiting += reversed(node.values())
        elif isinstance(node, list):
            waiting += reversed(node)
    times = Counter(node["__id__"] for node in found)
    often = [number for number, n in times.items() if n > 1]
    numbers = {number: i + 1 for i, number in enumerate(often)}
    for node in found:
        number = numbers.get(node.pop("__id__"))
        if number is not None:
            node["__id__"] = number


def _settle(node, names):
    """Put a record and those below it into the one form that equal models share, but for their ids."""
    if isinstance(node, list):
        for item in node:
            _settle(item, names)
        return
    if not isinstance(node, dict):
        return
    for value in node.values():
        _settle(value, names)
    if "__loader__" not in node:
        return
    if _is_value(node):
        node.pop("__id__", None)
    if "file" in node:
        node["file"] = names[node["file"]]
    if node["__loader__"] == "SetNode":  # Python shuffles strings in a set anew in each process
        node["content"].sort(key=lambda item: json.dumps(item, sort_keys=True))
    if node["__loader__"] == "ObjectNode":
        _sort_attributes(node.get("content"))
    if str(node["__module__"]).startswith("sklearn.") and isinstance(node.get("content"), dict):
        held = node["content"].get("content")
        for name in THREADS & set(held) if isinstance(held, dict) else ():
            held[name] = {**held[name], "content": "1"}


def _sort_attributes(held):
    """An object fitted twice has its attributes in another order than one fitted once."""
    if not isinstance(held, dict) or held.get("__loader__") != "DictNode":
        return
    if all(kind["__class__"] == "str" for kind in held["key_types"]["content"]):
        held["content"] = dict(sorted(held["content"].items()))


def warm():
    """Import what ``load`` needs, ahead of time."""
    import sklearn.pipeline  # noqa: F401
    from skops import io  # noqa: F401

    from ml_core.models import allowed, intact  # noqa: F401


def load(path, packages=()):
    """The model in ``path``; ValueError when it is damaged, or holds anything of a package not allowed.

    ``packages`` (and those of ``trusting``) are allowed beside scikit-learn's, numpy's, scipy's and our own.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no model file; `mlcore train` writes one")
    return loads(path.read_bytes(), packages, str(path))


def loads(content, packages=(), where="the model"):
    """The model in bytes that ``dumps`` made; see ``load``."""
    from ml_core.models import allowed, intact

    try:
        schema = _schema(content)
        trusted = allowed.check(schema, (*packages, *_trusted.get()))
        from skops import io as skops_io

        model = skops_io.loads(content, trusted=trusted)
        intact.check(model)
    except ValueError as error:
        raise ValueError(f"{where}: {_in_words(error)}") from error
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise ValueError(f"{where}: {_in_words(error)}") from error
    return model


def _schema(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        packed = [entry.filename for entry in archive.infolist() if entry.compress_type != zipfile.ZIP_STORED]
        if packed:
            raise ValueError(f"{packed[0]} is compressed; the files we write are not")
        return json.loads(archive.read(SCHEMA))


def _in_words(error):
    known = type(error) is ValueError and str(error).startswith(("it holds", "a "))
    if known:
        return str(error)
    return (
        f"not a model file, or cut or changed since it was written ({type(error).__name__}: {error}); "
        "fetch it again or run `mlcore train`"
    )


class Loaded:
    """A model as MLflow's pyfunc flavour calls it."""

    METHODS = ("predict", "predict_proba", "decision_function")

    def __init__(self, model):
        self.model = model

    def predict(self, frame, params=None):
        """Labels or numbers for the rows of ``frame``; {"method": "predict_proba"} asks for probabilities."""
        method = (params or {}).get("method") or "predict"
        able = [name for name in self.METHODS if hasattr(self.model, name)]
        if method not in able:
            raise ValueError(f"params.method: got {method!r}, this model has {', '.join(able)}")
        return getattr(self.model, method)(frame)


def _load_pyfunc(path):
    """What ``mlflow.pyfunc`` calls with the path of the model's file."""
    return Loaded(load(path))
