"""Model files that were tampered with, cut short or claim too much: refused by name, never followed."""

import io
import json
import zipfile

import numpy as np
import pytest
from holder import Holder
from numpy.testing import assert_array_equal
from saved import X, fitted, y

from ml_core.models import file, neighbors


def rewritten(content, change):
    """The file after ``change`` of its schema and members."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members["schema.json"])
    change(schema, members)
    members["schema.json"] = json.dumps(schema).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


TEXT = {
    "__class__": "str",
    "__module__": "builtins",
    "__loader__": "JsonNode",
    "content": '"true"',
    "is_json": True,
}
ARGS = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": [TEXT]}


def record(loader, name, **more):
    module, _, kind = name.rpartition(".")
    return {"__class__": kind, "__module__": module, "__loader__": loader, **more}


def listed(*items):
    return record("ListNode", "builtins.list", content=list(items))


def mapping(key_type):
    return record("DictNode", "builtins.dict", content={"x": TEXT}, key_types=listed(key_type))


ATTACKS = {
    "a function of the system": record("FunctionNode", "os.system"),
    "its posix name": record("FunctionNode", "posix.system"),
    "a class of the system": record("ConstructorFromReduceNode", "subprocess.Popen", content=ARGS),
    "an object": record("ObjectNode", "subprocess.Popen", content=TEXT),
    "a call of numpy's": record("ConstructorFromReduceNode", "numpy.memmap", content=ARGS),
    "numpy's exec": record("FunctionNode", "numpy.testing.runstring"),
    "numpy's file": record("NdArrayNode", "numpy.memmap", type="numpy", file="x.npy"),
    "a list that is none": record("ListNode", "sklearn.datasets.load_files", content=[]),
    "a call of scikit-learn's": record("ConstructorFromReduceNode", "sklearn.svm.SVC", content=ARGS),
    "a download": record("FunctionNode", "sklearn.datasets._openml.fetch_openml"),
    "something imported there": record("FunctionNode", "sklearn.utils._joblib.joblib"),
    "a class imported there": record("ObjectNode", "ml_core.models.file.Path"),
    "our commands": record("FunctionNode", "ml_core.cli.door.step"),
    "tests": record("ObjectNode", "sklearn.utils.tests.test_mocking.X"),
    "a key that calls": mapping(record("FunctionNode", "numpy.load")),
    "a key of a class": mapping(record("TypeNode", "sklearn.svm._classes.SVC")),
    "eval as a key": mapping(record("TypeNode", "builtins.eval")),
    "eval": record("TypeNode", "builtins.eval"),
    "a bound method": record("MethodNode", "sklearn.svm.SVC", content={"func": "fit", "obj": TEXT}),
    "a method caller": record("OperatorFuncNode", "operator.methodcaller", attrs=ARGS),
    "a partial": record("PartialNode", "functools.partial", content={"func": TEXT}),
    "a loss that is none": record("LossNode", "sklearn.svm.SVC", content=TEXT, __reduce__={"args": ARGS}),
    "a loader of nobody": record("MagicNode", "builtins.str"),
    "eval under a list": record("ListNode", "builtins.eval", content=[]),
    "a random state that is none": record("RandomStateNode", "sklearn.svm.SVC", content=TEXT),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_not_allowed_is_refused_by_name(attack, tmp_path):
    node = ATTACKS[attack]
    path = tmp_path / "model.skops"

    def put(schema, members):
        schema["content"]["content"]["C"] = node

    path.write_bytes(rewritten(file.dumps(fitted("logistic")), put))
    with pytest.raises(
        ValueError, match=r"model.skops: it holds .*is not allowed|model.skops: it holds .* does not have"
    ):
        file.load(path)


def test_the_files_own_claims_count_for_nothing():
    def claim(schema, members):
        schema["trusted"] = schema["packages"] = ["subprocess", "os"]
        schema["content"]["content"]["C"] = ATTACKS["a class of the system"]

    with pytest.raises(ValueError, match="it holds subprocess.Popen"):
        file.loads(rewritten(file.dumps(fitted("logistic")), claim))


def test_classes_of_other_packages_are_allowed_only_when_told():
    content, package = file.dumps(Holder(a=1)), Holder.__module__.split(".")[0]
    with pytest.raises(ValueError, match=r"Holder \(ObjectNode\), which is not allowed.*conf/allowed.yaml"):
        file.loads(content)
    assert file.loads(content, packages=[package]).a == 1
    with file.trusting([package]):
        assert file.loads(content).a == 1
    with pytest.raises(ValueError, match="is not allowed"):
        file.loads(content)


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.9, 0.999])
def test_a_file_cut_short_is_refused(share, tmp_path):
    content = file.dumps(fitted("forest"))
    (tmp_path / "m.skops").write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"m.skops: not a model file, or cut or changed .*mlcore train"):
        file.load(tmp_path / "m.skops")


def test_a_changed_byte_is_refused():
    content = bytearray(file.dumps(fitted("forest")))
    start = content.index(b"schema.json")
    for place in np.linspace(start + 50, len(content) - 2000, 20).astype(int):
        broken = content.copy()
        broken[place] ^= 1
        with pytest.raises(ValueError, match="cut or changed"):
            file.loads(bytes(broken))


def test_members_left_out_are_refused():
    def drop(schema, members):
        members.pop(next(name for name in members if name.endswith(".npy")))

    with pytest.raises(ValueError, match="cut or changed"):
        file.loads(rewritten(file.dumps(fitted("logistic")), drop))


@pytest.mark.parametrize(
    ("name", "field", "value", "what"),
    [
        ("forest", "left_child", 10**6, "a decision tree"),
        ("forest", "left_child", 0, "a decision tree"),
        ("forest", "feature", 99, "a decision tree"),
        ("boosting", "left", 10**6, "a boosted tree"),
        ("boosting", "feature_idx", 99, "a boosted tree"),
        ("kd_tree", "idx_end", 10**6, "a search tree"),
    ],
)
def test_indices_that_would_crash_the_process_are_refused(name, field, value, what):
    def spoil(schema, members):
        for member, data in members.items():
            array = np.load(io.BytesIO(data)) if member.endswith(".npy") else np.zeros(0)
            if array.dtype.names and field in array.dtype.names:
                array = array.copy()
                array[field][0] = value
                out = io.BytesIO()
                np.save(out, array)
                members[member] = out.getvalue()

    with pytest.raises(ValueError, match=f"{what} points outside of itself"):
        file.loads(rewritten(file.dumps(fitted(name)), spoil))


@pytest.mark.parametrize("part", range(5))
def test_a_search_tree_of_ours_must_fit_its_points(part):
    model = neighbors.KNeighborsClassifier(algorithm="kd_tree").fit(X, y)
    assert_array_equal(file.loads(file.dumps(model)).predict(X), model.predict(X))
    tree = list(model._tree)
    tree[part] = np.where(tree[part] == 0, len(X), tree[part]) if part == 4 else tree[part][:-1]
    model._tree = tuple(tree)
    with pytest.raises(ValueError, match="a search tree points outside of itself"):
        file.loads(file.dumps(model))


def test_compressed_members_are_refused():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", "{}")
    with pytest.raises(ValueError, match="schema.json is compressed"):
        file.loads(out.getvalue())
