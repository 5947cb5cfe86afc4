"""Charts of a search: what is told of each trial, and how much a parameter explains."""

import numpy as np
import pytest

from ml_core.report import png
from ml_core.report.trials import charts, explained, varied


def document(n=60, seed=0):
    rng, trials = np.random.default_rng(seed), []
    for i in range(n):
        params = {"rate": float(rng.random()), "kind": ["x", None][int(rng.integers(2))], "same": 1}
        mean = params["rate"] + rng.normal() / 50
        trials.append({"trial": i, "params": params, "mean": float(mean), "share": 1.0 if i >= 10 else 0.5})
    trials.append({"trial": n, "params": {}, "mean": None, "share": 1.0})
    return {"metric": "r2", "trials": trials}


def test_the_charts_of_a_search(tmp_path):
    known = document()
    rise, parallel, importance = charts(known)
    means = np.array([trial["mean"] for trial in known["trials"][:60]])
    best = [one for one in rise.lines if one.name == "best so far"][0]
    assert best.x[0] == 10 and np.allclose(best.y, np.maximum.accumulate(means[10:]), rtol=1e-5)
    assert parallel.levels == ["rate", "kind", "r2"] and len(parallel.lines) == 60
    marked = [one for one in parallel.lines if one.style == "line"]
    assert [one.name for one in marked] == [f"{mean:.4g}" for mean in np.sort(means)[::-1][:5]]
    assert importance.names == ["rate", "kind"] and importance.values[0] > 0.8 > 0.2 > importance.values[1]
    first = png.save([rise, parallel, importance], tmp_path / "a")
    assert first == png.save([rise, parallel, importance], tmp_path / "b")
    for name in first:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_what_never_varies_or_never_ended_has_no_chart():
    assert charts({"metric": "r2", "trials": []}) == []
    assert charts({"metric": "r2", "trials": document()["trials"][-1:]}) == []
    same = [{"trial": i, "params": {"a": 1}, "mean": 0.5, "share": 1.0} for i in range(3)]
    assert [chart.name for chart in charts({"metric": "r2", "trials": same})] == ["search_rise"]


@pytest.mark.parametrize("seed", range(5))
def test_a_parameter_explains_all_none_or_a_part(seed):
    rng = np.random.default_rng(seed)
    places = rng.integers(3, size=300)
    assert explained(places, places.astype(float)) == pytest.approx(1.0)
    assert explained(places, rng.normal(size=300)) < 0.05
    part = explained(places, places + rng.normal(size=300) * np.std(places))
    assert 0.35 < part < 0.65
    assert explained(places, np.ones(300)) == 0.0


def test_values_of_several_kinds_have_an_order():
    trials = [{"params": {"a": value}} for value in (None, "x", 2, 0.5, True)]
    assert varied(trials)["a"].tolist() == [4, 3, 1, 0, 2]
