"""``formulas`` compiled, for single numbers: step for step the same."""

from types import FunctionType

from ml_core.kernels import formulas
from ml_core.kernels.jit import jit


def _compiled(function, **known):
    """A function compiled, with what it calls already compiled."""
    return jit()(FunctionType(function.__code__, function.__globals__ | known, function.__name__))


exp = _compiled(formulas.exp)
slope = _compiled(formulas.slope, exp=exp)
shrink = _compiled(formulas.shrink)
value_of = _compiled(formulas.value_of, shrink=shrink)
score_of = _compiled(formulas.score_of, shrink=shrink)
bounded_score = _compiled(formulas.bounded_score)
mix = _compiled(formulas.mix)
roughly = _compiled(formulas.roughly)
