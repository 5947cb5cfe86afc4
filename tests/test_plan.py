"""plan.py reads the recipe as DVC does, without DVC."""

import subprocess
import sys
import textwrap

import pytest

from ml_core import plan


def recipe(**stages):
    return {"stages": stages}


def test_a_stage_comes_after_the_makers_of_what_it_reads():
    stages = plan.read(
        recipe=recipe(
            b={"cmd": "b", "deps": ["x/part.csv"], "outs": ["y"]},
            a={"cmd": "a", "outs": [{"x": {"cache": False}}]},
            c={"cmd": "c", "deps": ["y", "x"], "params": ["p"]},
        ),
        params={},
    )
    assert [(s.name, s.after) for s in stages] == [("a", ()), ("b", ("a",)), ("c", ("b", "a"))]
    assert stages[2].params == ("p",)


def test_interpolation_foreach_and_matrix():
    params = {"data": {"path": "in.csv", "many": [1, 2]}, "models": {"a": {"size": 1}, "b": {"size": 2}}}
    stages = plan.read(
        recipe=recipe(
            start={"cmd": "s", "deps": ["${data.path}"], "outs": ["d${data.many[1]}"]},
            each={
                "foreach": "${models}",
                "do": {"cmd": "fit ${key} ${item.size}", "deps": ["d2"], "outs": ["m/${key}"]},
            },
            cross={
                "matrix": {"k": [1, 2], "m": "${data.many}"},
                "cmd": "x ${item.k}-${item.m}",
                "outs": ["c/${key}"],
            },
        ),
        params=params,
    )
    assert [s.name for s in stages] == [
        "start",
        "each@a",
        "each@b",
        "cross@1-1",
        "cross@1-2",
        "cross@2-1",
        "cross@2-2",
    ]
    assert stages[0].deps == ("in.csv",)
    assert stages[1].cmd == "fit a 1" and stages[1].after == ("start",) and stages[1].outs == ("m/a",)
    assert stages[-1].cmd == "x 2-2"


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ({"a": {"deps": ["y"], "outs": ["x"]}, "b": {"deps": ["x"], "outs": ["y"]}}, "cycle: a -> b -> a"),
        ({"a": {"outs": ["x"]}, "b": {"outs": ["x"]}}, "made by both a and b"),
        ({"a": {"deps": ["${nope.path}"]}}, "nope.path} is not in params.yaml"),
    ],
)
def test_what_cannot_be_a_plan_is_refused(stages, message):
    with pytest.raises(ValueError, match=message.replace("}", r"\}")):
        plan.read(recipe=recipe(**stages), params={})


def test_broken_yaml_is_told_with_file_and_line(tmp_path):
    (tmp_path / "params.yaml").write_text("a: [1\nb: 2\n")
    with pytest.raises(ValueError, match="params.yaml is no valid yaml.*line 2"):
        plan.load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("- 1\n")
    with pytest.raises(ValueError, match="expected sections, got list"):
        plan.load(tmp_path / "params.yaml")


def test_the_graph_equals_dvcs(tmp_path):
    """Interpolation, foreach, matrix, folders as dependencies: edge for edge what DVC builds."""
    (tmp_path / "params.yaml").write_text("paths: {out: o}\nnames: [p, q]\n")
    (tmp_path / "dvc.yaml").write_text(
        textwrap.dedent("""\
        stages:
          first:
            cmd: echo 1
            outs: ["${paths.out}/first"]
          each:
            foreach: ${names}
            do:
              cmd: echo ${item}
              deps: ["${paths.out}/first"]
              outs: ["${paths.out}/each/${item}"]
          cross:
            matrix: {name: "${names}", k: [1, 2]}
            cmd: echo ${item.name} ${item.k}
            deps: ["${paths.out}/each/${item.name}"]
            outs: ["${paths.out}/cross/${item.name}-${item.k}"]
          last:
            cmd: echo last
            deps: ["${paths.out}/cross", "${paths.out}/first/inside.csv"]
            metrics: ["last.json"]
        """)
    )
    script = textwrap.dedent("""\
        import subprocess
        from dvc.repo import Repo
        Repo.init(no_scm=True).close()
        with Repo() as repo:
            for a, b in sorted((a.addressing, b.addressing) for a, b in repo.index.graph.edges):
                print("edge", a, b)
        """)
    said = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    theirs = {tuple(line.split()[1:]) for line in said.splitlines() if line.startswith("edge ")}
    ours = {(stage.name, before) for stage in plan.read(tmp_path) for before in stage.after}
    assert ours == theirs and len(ours) == 11


def test_reading_a_plan_imports_neither_dvc_nor_any_other_heavy_library():
    heavy = {"dvc", "mlflow", "sklearn", "numpy", "hydra", "polars"}
    script = f"import sys, ml_core.plan; print([m for m in sys.modules if m.split('.')[0] in {heavy}])"
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )
