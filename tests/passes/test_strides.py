import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.passes.strides import Strided, offsets


@st.composite
def moves(draw):
    """A shape, and reshapes and transpositions of it, one after another."""
    shape = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    steps, current = [], list(shape)
    for _ in range(draw(st.integers(1, 5))):
        if draw(st.booleans()):
            current = _regrouped(draw, int(np.prod(current)))
            steps.append(("reshape", tuple(current)))
        else:
            order = draw(st.permutations(range(len(current))))
            current = [current[axis] for axis in order]
            steps.append(("transpose", tuple(order)))
    return tuple(shape), steps


def _regrouped(draw, size):
    extents = []
    while size > 1:
        extent = draw(st.sampled_from([d for d in range(2, size + 1) if size % d == 0]))
        extents.append(extent)
        size //= extent
    return extents or [1]


@given(moves())
def test_factors_say_where_numpy_moves_each_element(case):
    shape, steps = case
    array, strided = np.arange(np.prod(shape)).reshape(shape), Strided.of(shape)
    for kind, argument in steps:
        array = getattr(array, kind)(argument)
        following = getattr(strided, {"reshape": "reshaped", "transpose": "permuted"}[kind])
        strided = following(argument)
        if strided is None:
            return
        assert strided.shape == array.shape
        assert (offsets(strided.factors) == array.reshape(-1)).all()


def test_shape_that_cuts_through_factors_has_no_axes():
    transposed = Strided.of((2, 3)).permuted((1, 0))
    assert transposed.reshaped((2, 3)).axes() is None
    assert transposed.reshaped((2, 3)).permuted((1, 0)) is None


def test_shape_that_cuts_through_factors_may_be_undone():
    transposed = Strided.of((2, 3)).permuted((1, 0))
    assert transposed.reshaped((2, 3)).reshaped((3, 2)) == transposed


def test_adjacent_factors_are_one():
    assert Strided.of((2, 3, 4)).axes() == [((2, 12),), ((3, 4),), ((4, 1),)]
    assert Strided.of((2, 3, 4)).reshaped((6, 4)).axes() == [((6, 4),), ((4, 1),)]
