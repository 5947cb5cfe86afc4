"""A registry in memory with MLflow's manners, an operation at a time: tests stop and mix them."""

import contextlib
from dataclasses import dataclass, field

from ml_core.tracking.registry import Version


class Killed(BaseException):
    """kill -9."""


@dataclass
class Shelf:
    """What the store holds; ``step(what)`` is called before each operation, and may raise or act."""

    name: str = "churn"
    wait: float = 0.0
    params: dict = field(default_factory=dict)
    alias: dict = field(default_factory=dict)
    kept: dict = field(default_factory=dict)  # version -> Version
    made: int = 0  # a number is never given again
    tags: dict = field(default_factory=dict)
    sent: list = field(default_factory=list)
    step: object = staticmethod(lambda what: None)

    @contextlib.contextmanager
    def held(self):
        yield

    def entries(self):
        self.step("entries")
        return dict(self.params)

    def append(self, key, text):
        self.step("append")
        return self.params.setdefault(key, text) == text

    def aliases(self):
        self.step("aliases")
        return dict(self.alias)

    def point(self, alias, version):
        self.step(f"point {alias}")
        if version is None:
            self.alias.pop(alias, None)
        else:
            assert version in self.kept, "MLflow refuses an alias on a version that is not there"
            self.alias[alias] = version

    def versions(self):
        self.step("versions")
        return [self.kept[number] for number in sorted(self.kept, key=int)]

    def register(self, run_id, tags):
        self.step("register")
        for one in self.kept.values():
            if one.run_id == run_id:
                return one
        self.made += 1
        version = Version(str(self.made), run_id, 1000 * self.made, dict(tags))
        self.kept[version.version] = version
        return version

    def tag(self, version, tags):
        self.step("tag")
        place = self.tags if version is None else self.kept[version].tags
        place.update(tags)

    def attach(self, run_id, folder, place, tags):
        self.step("attach")
        names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        self.sent.append((run_id, place, names, tags))

    def drop(self, version):
        self.step("drop")
        del self.kept[version]
        self.alias = {name: to for name, to in self.alias.items() if to != version}

    def shed(self, run_id):
        self.step("shed")
        self.sent.append((run_id, "removed", [], {}))
