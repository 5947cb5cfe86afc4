"""A search space: what a model's yaml says about its parameters, as points of a grid or as draws.

A candidate is a dict parameter -> value, of values that json can hold: what was tried can be read anywhere.
"""

import math
from dataclasses import dataclass, field
from itertools import pairwise, product

KEYS = ("low", "high", "log", "int")


@dataclass(frozen=True)
class Values:
    """A list of values, tried in its order."""

    values: tuple

    def points(self, n):
        """All values, whatever n."""
        return list(self.values)

    def draw(self, rng):
        """One of them."""
        return self.values[rng.integers(len(self.values))]

    def at(self, share):
        """The value at a share of the way through the list, 0 to 1."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]

    def place(self, value):
        """Where in the list a value stands; 1, 1.0 and true are three values."""
        told = type(value), repr(value)
        return next(i for i, known in enumerate(self.values) if (type(known), repr(known)) == told)

    def size(self):
        """How many there are."""
        return len(self.values)

    @property
    def ascends(self):
        """Whether they are three numbers or more, each above the one before: neighbours are alike."""
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in self.values)
        return numbers and len(self.values) > 2 and all(a < b for a, b in pairwise(self.values))


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included, spread evenly or in their logarithm; whole or not."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def points(self, n):
        """At most n points, the ends among them."""
        return list(dict.fromkeys(self.at(i / (n - 1) if n > 1 else 0.5) for i in range(n)))

    def draw(self, rng):
        """One number."""
        if self.whole and not self.log:
            return int(rng.integers(self.low, self.high, endpoint=True))
        return self.at(rng.random())

    def size(self):
        """How many there are."""
        return self.high - self.low + 1 if self.whole else math.inf

    def share(self, number):
        """Where from low to high a number stands, 0 to 1: what ``at`` takes."""
        ends = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        return ((math.log(number) if self.log else number) - ends[0]) / (ends[1] - ends[0])

    def near(self, number):
        """The candidate's number nearest to ``number``, in no more digits than all machines agree on."""
        # the last digits of exp differ between machines, and would make other candidates of them
        found = min(max(float(f"{number:.12g}"), self.low), self.high)
        return round(found) if self.whole else found

    def at(self, share):
        """The number at a share of the way from low to high, 0 to 1."""
        if share in (0, 1):
            return self.near(self.high if share else self.low)
        if self.log:
            return self.near(
                math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
            )
        return self.near(self.low + share * (self.high - self.low))


@dataclass(frozen=True)
class Space:
    """Parameter -> Values or Range. An empty space has one candidate: the model as it is."""

    axes: dict

    def grid(self, points):
        """Every combination, at most ``points`` points of each range; the last parameter changes fastest."""
        columns = [axis.points(points) for axis in self.axes.values()]
        return [dict(zip(self.axes, values, strict=True)) for values in product(*columns)]

    def grid_size(self, points):
        """How many candidates ``grid`` would make, without making them."""
        return math.prod(len(axis.points(points)) for axis in self.axes.values())

    def plain(self):
        """The candidates that leave each parameter as the model's yaml sets it: one."""
        return [{}]

    def walk(self, choose):
        """The candidate whose values ``choose(name, axis)`` picks, axis by axis."""
        return {name: choose(name, axis) for name, axis in self.axes.items()}

    def draw(self, rng):
        """One candidate at random."""
        return self.walk(lambda name, axis: axis.draw(rng))

    def size(self):
        """How many candidates there are; inf when a range is not whole."""
        return math.prod(axis.size() for axis in self.axes.values())


@dataclass(frozen=True)
class Joint:
    """One of several families, then axes that only this family has.

    A candidate is ``{"family": name, "features": setting, "name.parameter": value, ...}``.

    Parameters
    ----------
    spaces : {family: Space of its own parameters}
    features : {family: names of the features settings it may use}
        A family that is not there has no such axis.
    costs : {family: seconds of a fit, beside the others'}
        1 where a family is not there.
    """

    spaces: dict
    features: dict = field(default_factory=dict)
    costs: dict = field(default_factory=dict)

    def __post_init__(self):
        if not self.spaces:
            raise ValueError("search.families: there is none; name one or more of conf/model")

    @property
    def families(self):
        """Their names, the cheapest first."""
        return sorted(self.spaces, key=lambda family: self.costs.get(family, 1))

    def within(self, family):
        """The Space of one family, its axes as candidates name them."""
        settings = {"features": Values(tuple(self.features[family]))} if family in self.features else {}
        axes = self.spaces[family].axes
        return Space(settings | {f"{family}.{name}": axis for name, axis in axes.items()})

    def only(self, families):
        """The same, of these families alone."""
        return Joint({name: self.spaces[name] for name in families}, self.features, self.costs)

    @property
    def axes(self):
        """Every axis of every family."""
        found = {"family": Values(tuple(self.families))}
        for family in self.families:
            found |= self.within(family).axes
        return found

    def grid(self, points):
        """Every combination of each family, the cheapest family first."""
        return [
            {"family": family} | candidate
            for family in self.families
            for candidate in self.within(family).grid(points)
        ]

    def grid_size(self, points):
        """How many candidates ``grid`` would make, without making them."""
        return sum(self.within(family).grid_size(points) for family in self.spaces)

    def plain(self):
        """The candidates that leave each parameter as its model's yaml sets it: one a family."""
        first = {family: {"features": self.features[family][0]} for family in self.features}
        return [{"family": family} | first.get(family, {}) for family in self.families]

    def walk(self, choose):
        """The candidate whose values ``choose(name, axis)`` picks: the family, then its axes alone."""
        family = choose("family", Values(tuple(self.families)))
        return {"family": family} | self.within(family).walk(choose)

    def draw(self, rng):
        """One candidate at random, each family as likely as another."""
        return self.walk(lambda name, axis: axis.draw(rng))

    def size(self):
        """How many candidates there are; inf when a range is not whole."""
        return sum(self.within(family).size() for family in self.spaces)


def sample(space, n, rng):
    """``n`` different candidates, drawn alike; all of them where a space has no more than that."""
    if space.size() <= n:
        return space.grid(points=n)
    found = {}
    for _ in range(100 * n):  # a small space repeats itself; the grid above took the smallest
        candidate = space.draw(rng)
        found.setdefault(repr(candidate), candidate)
        if len(found) == n:
            break
    return list(found.values())


def parse(given, where="model.space"):
    """{parameter: [values] or {low, high, log, int}} -> Space; ValueError names what is wrong."""
    if given is None:
        return Space({})
    if not isinstance(given, dict):
        raise ValueError(f"{where}: got {given!r}, must be a mapping of parameters to lists or ranges")
    return Space({name: _axis(axis, f"{where}.{name}") for name, axis in given.items()})


def _axis(given, where):
    if isinstance(given, dict):
        return _range(given, where)
    if not isinstance(given, list | tuple):
        raise ValueError(f"{where}: got {given!r}, must be a list or {{low, high, log, int}}")
    if not given:
        raise ValueError(f"{where}: the list is empty; give values, or remove {where.rpartition('.')[2]}")
    for value in given:
        _check_value(value, where)
    return Values(tuple(given))


def _check_value(value, where):
    if isinstance(value, list | tuple):
        for item in value:
            _check_value(item, where)
    elif value is not None and not isinstance(value, str | bool | int | float):
        raise ValueError(
            f"{where}: got {value!r} ({type(value).__name__}), allowed are numbers, text, true, false, null "
            "and lists of these"
        )
    elif isinstance(value, float) and math.isnan(value):
        raise ValueError(f"{where}: got nan, must be a number")


def _range(given, where):
    unknown = [key for key in given if key not in KEYS]
    missing = [key for key in ("low", "high") if key not in given]
    if unknown:
        raise ValueError(f"{where}: got {unknown[0]!r}, a range has {', '.join(KEYS)}")
    if missing:
        raise ValueError(f"{where}: a range needs {' and '.join(missing)}")
    low, high, log, whole = given["low"], given["high"], given.get("log", False), given.get("int", False)
    for key, value in (("low", low), ("high", high)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{where}.{key}: got {value!r}, must be a number (1e-3 needs its dot: 1.0e-3)")
    for key, value in (("log", log), ("int", whole)):
        if not isinstance(value, bool):
            raise ValueError(f"{where}.{key}: got {value!r}, must be true or false")
    if low >= high:
        raise ValueError(f"{where}: low is {low}, must be below high, which is {high}")
    if log and low <= 0:
        raise ValueError(f"{where}: low is {low}, must be above 0 for log: true")
    if whole and (low != int(low) or high != int(high)):
        raise ValueError(f"{where}: low and high are {low} and {high}, must be whole for int: true")
    return Range(int(low), int(high), log, True) if whole else Range(float(low), float(high), log)
