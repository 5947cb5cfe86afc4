"""What a model file may hold. The file's own word counts for nothing: only names this code knows are made.

A model file is a tree of records; each says how it is made (its loader) and of which class. A loader that
calls what it names, such as a partial or a bound method, is never run. Classes are created without a call,
and must be defined, not just importable, in an allowed package.
"""

import importlib

OWN = ("sklearn", "ml_core.features", "ml_core.models", "ml_core.kernels")
# functions in these read files or the network, or are no part of a model
NO_FUNCTIONS = ("sklearn.datasets", "sklearn.externals", "sklearn.utils")
NEVER = {"tests", "testing", "conftest"}
LOSSES = ("sklearn._loss._loss", "sklearn.linear_model._sgd_fast")
PLAIN = {"str", "int", "float", "bool", "complex", "NoneType", "list", "tuple", "dict", "set", "object"}
EXACT = {
    "ListNode": {"builtins.list"},
    "SetNode": {"builtins.set"},
    "DefaultDictNode": {"collections.defaultdict"},
    "BytesNode": {"builtins.bytes"},
    "BytearrayNode": {"builtins.bytearray"},
    "SliceNode": {"builtins.slice"},
    "DTypeNode": {"numpy.dtype"},
    "MaskedArrayNode": {"numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"},
    "RandomStateNode": {"numpy.random.mtrand.RandomState"},
    "RandomGeneratorNode": {"numpy.random._generator.Generator"},
    "ConstructorFromReduceNode": {
        "builtins.range",
        "builtins.frozenset",
        "builtins.complex",
        "datetime.date",
        "datetime.datetime",
        "datetime.timedelta",
        "datetime.timezone",
        "zoneinfo.ZoneInfo",
        "decimal.Decimal",
    },
}


def check(schema, packages=()):
    """schema (the parsed tree) -> names to trust, sorted; ValueError names the first that is not allowed.

    ``packages`` are allowed beside OWN.
    """
    allowed = (*OWN, *(name for name in packages if name.split(".")[0] not in ("ml_core", "sklearn")))
    records = list(_records(schema))
    for record in records:  # all names first: nothing is imported for a file that will be refused
        _check_name(record, allowed)
    return sorted({name for record in records for name in _resolved(record, allowed)})


def _records(node):
    waiting = [node]
    while waiting:  # no recursion: a file may nest as deep as it likes
        node = waiting.pop()
        if isinstance(node, dict):
            if "__loader__" in node:
                yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _name(record):
    return f"{record.get('__module__')}.{record.get('__class__')}"


def _refuse(record, allowed):
    loader = record["__loader__"]
    raise ValueError(
        f"it holds {_name(record)} ({loader}), which is not allowed; allowed are models made of "
        f"{', '.join(allowed)}, numpy and scipy. If you trust who made the file, allow the package in "
        "conf/allowed.yaml"
    )


def _within(name, packages):
    return any(name == package or name.startswith(package + ".") for package in packages)


def _check_name(record, allowed):
    loader, name = record["__loader__"], _name(record)
    module = str(record.get("__module__"))
    if loader in ("JsonNode", "CachedNode") or name in EXACT.get(loader, ()):
        return
    mine = _within(module, allowed) and not NEVER & set(module.split("."))
    fine = {
        "NdArrayNode": module == "numpy",
        "SparseMatrixNode": _within(module, ("scipy.sparse",)),
        "LossNode": module in LOSSES,
        "TreeNode": name == "sklearn.tree._tree.Tree",
        "ObjectNode": mine,
        "DictNode": mine or name in ("builtins.dict", "collections.OrderedDict"),
        "TupleNode": mine or name == "builtins.tuple",
        "TypeNode": mine or _is_plain(record) or module == "numpy",
        "FunctionNode": (mine and not _within(module, NO_FUNCTIONS)) or _is_ufunc(record),
    }
    if not fine.get(loader, False):
        _refuse(record, allowed)
    if loader == "DictNode":
        for key_type in record["key_types"]["content"]:
            # a key is made by calling its type with text out of the file
            if not (key_type["__loader__"] == "TypeNode" and (_is_plain(key_type) or _is_scalar(key_type))):
                _refuse(key_type, allowed)


def _is_plain(record):
    return record.get("__module__") == "builtins" and record.get("__class__") in PLAIN


def _numpy(record):
    import numpy

    return getattr(numpy, str(record.get("__class__")), None) if record.get("__module__") == "numpy" else None


def _is_scalar(record):
    import numpy

    found = _numpy(record)
    return isinstance(found, type) and issubclass(found, numpy.generic)


def _is_ufunc(record):
    if _within(str(record.get("__module__")), ("scipy.special",)):
        import scipy.special

        return hasattr(scipy.special, str(record.get("__class__")))
    import numpy

    return isinstance(_numpy(record), numpy.ufunc)


def _resolved(record, allowed):
    """The record's name if skops must be told that it is fine, once it is what its loader takes it for."""
    loader, name, module = record["__loader__"], _name(record), str(record.get("__module__"))
    if loader == "NdArrayNode" and name != "numpy.ndarray" and not _is_scalar(record):
        _refuse(record, allowed)
    if loader == "TypeNode" and not _within(module, allowed):
        if not (_is_plain(record) or _is_scalar(record)):
            _refuse(record, allowed)
        return [name]
    if loader not in ("ObjectNode", "TreeNode", "DictNode", "TupleNode", "TypeNode", "FunctionNode"):
        return []
    if not _within(module, allowed):
        return []  # plain containers and ufuncs: skops knows them
    try:
        found = getattr(importlib.import_module(module), record["__class__"])
    except (ImportError, AttributeError):
        raise ValueError(
            f"it holds {name}, which the installed {module.split('.')[0]} does not have"
        ) from None
    base = {"DictNode": dict, "TupleNode": tuple}.get(loader, object)
    is_class = isinstance(found, type) and issubclass(found, base)
    fits = callable(found) and not isinstance(found, type) if loader == "FunctionNode" else is_class
    # `sklearn.somewhere.Popen` starts right and was defined elsewhere
    if not fits or not _within(str(getattr(found, "__module__", "")), allowed):
        _refuse(record, allowed)
    return [name]
