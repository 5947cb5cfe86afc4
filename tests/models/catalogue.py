"""The models of the menu: whatever lies in conf/model is examined, and nothing names it here."""

import importlib
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
from omegaconf import OmegaConf
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

ROOT = Path(__file__).parents[2]
TASKS = ("classification", "regression", "clustering")


@dataclass(frozen=True)
class Option:
    """One estimator of one yaml."""

    name: str
    task: str
    node: dict = field(hash=False)
    space: dict = field(hash=False)

    def __str__(self):
        return f"{self.name}-{self.task}"

    def make(self):
        """A fresh estimator."""
        return _built(self.node)

    @property
    def ours(self):
        """Whether the code is this project's."""
        return self.node["_target_"].startswith("ml_core.")

    def data(self, rows=None):
        """Data of its task; cells are made >= 0, or three categories, where it takes no others."""
        X, y = data(self.task, rows)
        takes = self.make().__sklearn_tags__().input_tags
        if takes.categorical and takes.positive_only:
            return (X > -0.5).astype(float) + (X > 0.5), y
        return (X - X.min(axis=0) if takes.positive_only else X), y

    def candidates(self, most=6):
        """Some points of the space, evenly spread."""
        axes = {name: _points(values) for name, values in self.space.items()}
        grid = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
        return [grid[i] for i in np.unique(np.linspace(0, len(grid) - 1, most).astype(int))]


def _points(values):
    if isinstance(values, list):
        return values
    low, high = values["low"], values["high"]
    points = np.geomspace(low, high, 5) if values["log"] else np.linspace(low, high, 5)
    return sorted({int(point) for point in points}) if values["int"] else points.tolist()


def _built(node):
    """What a node describes, the nodes inside it first."""
    if isinstance(node, list):
        return [_built(value) for value in node]
    if not isinstance(node, dict):
        return node
    made = {name: _built(value) for name, value in node.items() if name != "_target_"}
    if "_target_" not in node:
        return made
    module, _, name = node["_target_"].rpartition(".")
    return getattr(importlib.import_module(module), name)(**made)


def options():
    """Every estimator on the menu."""
    found = []
    for path in sorted((ROOT / "conf/model").glob("*.yaml")):
        config = OmegaConf.merge({"seed": 0}, OmegaConf.load(path))
        known = OmegaConf.to_container(config, resolve=True)
        nodes = known["estimator"]
        if "_target_" in nodes:
            nodes = {task: nodes for task in fits(nodes)}
        found += [Option(path.stem, task, node, known.get("space") or {}) for task, node in nodes.items()]
    return found


def fits(node):
    """Tasks of a yaml with one node for all of them."""
    from sklearn.base import is_classifier, is_clusterer, is_regressor

    estimator = Option("", "", node, {}).make()
    kinds = zip(TASKS, (is_classifier, is_regressor, is_clusterer), strict=True)
    return [task for task, told in kinds if told(estimator)]


def data(task, rows=None):
    """Standardised embedded data of a task, rows shuffled by a fixed seed: X, y."""
    load = {"classification": load_breast_cancer, "regression": load_diabetes, "clustering": load_iris}[task]
    X, y = load(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))[:rows]
    X = X[order]
    return (X - X.mean(axis=0)) / X.std(axis=0), y[order]
