"""What arithmetic in float16 must leave as it is: which logit is the largest."""

import numpy as np
from numpy.typing import NDArray

# Of the images whose two largest logits differ by more than rounding, as a share of the largest of
# all: some 50 layers round to 5e-4 each, one way or the other.
SAME, ROUNDING = 0.98, 1e-2


def assert_same_largest(ours: NDArray, expected: NDArray) -> None:
    """The largest logit of 98 of 100 images is the reference's, where rounding cannot tell."""
    second, largest = np.sort(expected, axis=-1)[..., -2:].T
    clear = largest - second > ROUNDING * np.abs(expected).max()
    same = ours.argmax(-1) == expected.argmax(-1)
    print(f"{clear.sum()} of {clear.size} images are clear, {same.sum()} have the same largest")
    assert same[clear].sum() >= SAME * clear.sum()
