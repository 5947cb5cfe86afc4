"""What the search itself costs a trial, against Ray Tune: few trials, as each of Tune's takes long.

Both judge 5 folds of a model whose fit does nothing: ours with its journal, Tune with a Ray that is there
before the clock starts and workers that are used again; what our first search imports is there as well, since
twenty trials do not dilute it as the three hundred of search_overhead do. Equal: as many finished trials, and
ours under 1 ms of CPU for each.
"""

import os
import tempfile

import search_overhead
from search_overhead import Nothing, constant, equal, ours  # noqa: F401  the same, fewer of them

FLOOR, GOAL = 10, 100
MEMORY = None  # Ray's store is in processes of its own
SHORT = {"trials": 5}


def data(trials=20):
    made = search_overhead.data(trials)
    ours((*made[:-1], 1))
    return made


def ray_tune(data):
    import numpy as np
    import ray
    from ray import tune
    from sklearn.base import clone

    X, y, folds, trials = data
    if not ray.is_initialized():
        os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
        here = {"env_vars": {"PYTHONPATH": os.path.dirname(__file__)}}
        options = {"include_dashboard": False, "logging_level": "ERROR", "log_to_driver": False}
        cores = int(os.environ["OMP_NUM_THREADS"])
        ray.init(address="local", num_cpus=cores, runtime_env=here, **options)

    def objective(config):
        model, scores = Nothing(config["a"]), []
        for train, test in folds:
            scores.append(constant(clone(model).fit(X[train], y[train]), X[test], y[test]))
        return {"score": float(np.mean(scores))}

    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            objective,
            param_space={"a": tune.uniform(0.0, 1.0)},
            tune_config=tune.TuneConfig(num_samples=trials, metric="score", mode="max", reuse_actors=True),
            run_config=tune.RunConfig(verbose=0, storage_path=folder),
        )
        return len(tuner.fit()), 0.0


RIVALS = {"Ray Tune": ray_tune}
