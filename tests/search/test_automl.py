"""The search over families through the whole recipe, and Hydra's jobs over searches."""

import json

import pytest
from closure import ROOT

ADULT = ROOT.parent / "shared/data/adult.csv"
pytestmark = pytest.mark.slow


def test_the_winner_of_a_search_over_families_is_trained_evaluated_and_shown(project):
    project.mlcore(
        "compose",
        "search=automl",
        "model.only=[gaussian_nb,ridge,logistic]",
        "search.strategy.tries=14",
        "evaluate=fast",
    )
    project.mlcore("run")
    best = json.loads(project.read("out/search/best.json"))
    trained = json.loads(project.read("out/train/model.json"))
    family, own = best["params"]["family"], {}
    own |= {n.partition(".")[2]: value for n, value in best["params"].items() if n.startswith(f"{family}.")}
    assert trained["best"] == best and trained["params"].items() >= own.items()
    assert {row["family"] for row in best["leaderboard"]} == {"gaussian_nb", "ridge", "logistic"}
    assert best["leaderboard"][0]["score"] == best["score"] > 0.98
    assert json.loads(project.read("out/evaluate.json"))["auc"] > 0.95
    said = project.mlcore("show").stdout
    assert "families searched" in said and "gaussian_nb" in said
    blend(project)
    project.mlcore("compose", "search=automl", "model.only=[logistik]")
    told = project.mlcore("search", code=2).stderr
    assert "model.only: there is no family 'logistik'; did you mean logistic?" in told
    project.mlcore("compose", "search/engine=ray", "search.engine.address=127.0.0.1:9")
    told = project.mlcore("search", code=2).stderr
    assert "choose search/engine=local" in told and "Traceback" not in told  # nobody listens, or no Ray


def blend(project):
    """Trees that are better together: they are trained, evaluated, explained and logged as one model."""
    words = ["model=tree", "search=random", "search.strategy.tries=12", "search.blend=4", "evaluate=fast"]
    project.mlcore("compose", *words)
    project.mlcore("run")
    best, trained = (json.loads(project.read(f"out/{name}.json")) for name in ("search/best", "train/model"))
    assert [row["family"] for row in best["leaderboard"]] == ["blend", "alone"] and best["params"]["blend"]
    assert trained["model"] == "sklearn.ensemble._voting.VotingClassifier" and trained["features"]["out"]
    assert json.loads(project.read("out/evaluate.json"))["auc"] > 0.93
    important = json.loads(project.read("out/explain/importance.json"))["columns"]
    assert important[0]["value"] > 0 and "blend" in project.mlcore("show").stdout


@pytest.mark.skipif(not ADULT.exists(), reason=f"{ADULT.name} is not in ../shared/data")
def test_a_search_over_families_on_a_real_table(project):
    words = ["data=csv", f"data.path={ADULT}", "data.target=income", "search.strategy.tries=12"]
    project.mlcore("compose", "search=automl", "model.only=[gaussian_nb,ridge,logistic]", *words)
    project.mlcore("run", "evaluate")
    best = json.loads(project.read("out/search/best.json"))
    assert best["params"]["family"] == "logistic" and best["score"] > 0.9
    assert json.loads(project.read("out/evaluate.json"))["auc"] == pytest.approx(best["score"], abs=0.01)


def test_hydras_jobs_run_over_searches_and_models(project):
    done = project.mlcore(
        "train", "-m", "search=none,random", "model=gaussian_nb,ridge", "evaluate=fast", "tracking=memory"
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("search=")]
    assert [line.partition(" evaluate=")[0] for line in lines] == [
        f"search={search} model={model}"
        for search in ("none", "random")
        for model in ("gaussian_nb", "ridge")
    ]
    bests = list(project.folder.glob("multirun/*/*/*/out/search/best.json"))
    assert len(bests) == 4 and all(json.loads(path.read_text())["score"] > 0.9 for path in bests)
