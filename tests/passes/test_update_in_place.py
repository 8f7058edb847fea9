"""A sum replaces its shortcut exactly where nobody reads the shortcut afterwards."""

from pipeline.operators import Network, Operator
from pipeline.passes.update_in_place import update_in_place

SHAPE = (1, 8, 4, 4)


def network(*operators: Operator) -> Network:
    names = ["image", *(step.writes for step in operators)]
    return Network(operators, dict.fromkeys(names, SHAPE), "image", names[-1])


def test_units_in_a_row_share_one_tensor() -> None:
    made = update_in_place(
        network(
            Operator("first_convolution", "image", "x"),
            Operator("pointwise", "x", "a"),
            Operator("pointwise", "a", "y", residual="x"),
            Operator("pointwise", "y", "b"),
            Operator("pointwise", "b", "z", residual="y"),
            Operator("mean", "z", "m"),
        )
    )
    assert [step.writes for step in made.operators] == ["x", "a", "x", "b", "x", "m"]
    assert [step.data for step in made.operators] == ["image", "x", "a", "x", "b", "x"]
    assert made.result == "m"


def test_a_shortcut_that_is_read_again_is_kept() -> None:
    before = network(
        Operator("first_convolution", "image", "x"),
        Operator("pointwise", "x", "y", residual="x"),
        Operator("depthwise", "y", "a"),
        Operator("pointwise", "a", "z", residual="y"),
        Operator("pointwise", "z", "r", residual="y"),
    )
    assert [step.writes for step in update_in_place(before).operators] == [
        "x",
        "y",  # its data is the shortcut
        "a",
        "z",
        "y",  # the last to read it
    ]


def test_the_result_may_be_an_updated_tensor() -> None:
    before = network(
        Operator("first_convolution", "image", "x"),
        Operator("depthwise", "x", "a"),
        Operator("pointwise", "a", "y", residual="x"),
    )
    after = update_in_place(before)
    assert after.result == after.operators[-1].writes == "x"


def test_other_operators_keep_their_tensors() -> None:
    before = network(
        Operator("first_convolution", "image", "x"),
        Operator("depthwise", "x", "a"),
        Operator("mean", "a", "g"),
        Operator("scale", "a", "y", residual="x", gate="g"),
    )
    assert update_in_place(before) == before
