"""Whether an engine computes what PyTorch computes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import WorkFailedError

Array = NDArray[Any]

# Largest max|engine - torch| / max|torch| over the logits, by the type of the arithmetic.
TOLERANCES = {
    # Each of some 50 layers rounds to 6e-8 and sums some hundreds of products in its own order.
    "float32": 1e-4,
    # 11 bits: 5e-4 a layer, and more where a sum is long.
    "float16": 2e-2,
}
# Of a random image, a side.
PATCHES = 4


@dataclass(frozen=True)
class Agreement:
    """How two engines compare over `images` images; an output with a NaN has infinite error."""

    max_relative_error: float
    top1_agreement: float
    images: int


def random_inputs(shape: Sequence[int], count: int, seed: int) -> list[Array]:
    """`count` float32 images [..., height, width], about as normalised ones are distributed.

    They are noise on coarse patches of some contrast: noise alone is the same to a network whatever
    its seed, and its logits then differ by little more than what rounding does to them.
    """
    rng = np.random.default_rng(seed)
    return [_random_image(tuple(shape), rng) for _ in range(count)]


def _random_image(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    *planes, height, width = shape
    contrast = 0.5 + rng.random()
    coarse = contrast * rng.standard_normal((*planes, PATCHES, PATCHES), dtype=np.float32)
    rows, columns = (np.arange(size) * PATCHES // size for size in (height, width))
    fine = rng.standard_normal(shape, dtype=np.float32)
    return fine + coarse[..., rows[:, None], columns]


def compare(outputs: Sequence[Array], references: Sequence[Array]) -> Agreement:
    """The worst error and the share of images whose largest logit is the same."""
    pairs = list(zip(outputs, references, strict=True))
    errors = [relative_error(output, reference) for output, reference in pairs]
    same = np.concatenate(
        [
            output.argmax(-1) == reference.argmax(-1)
            if output.shape == reference.shape
            else np.zeros(reference.shape[:-1], dtype=bool)
            for output, reference in pairs
        ]
    )
    return Agreement(max(errors), float(same.mean()), same.size)


def relative_error(output: Array, reference: Array) -> float:
    """max|output - reference| / max|reference|; infinite where they cannot be compared."""
    if output.shape != reference.shape or not np.isfinite(output).all():
        return float("inf")
    return float(np.abs(output - reference).max() / np.abs(reference).max())


def require_agreement(agreement: Agreement, engine: str, dtype: str = "float32") -> None:
    """Raise WorkFailedError if the engine is wrong by more than its arithmetic explains."""
    allowed = TOLERANCES[dtype]
    if not agreement.max_relative_error <= allowed:
        raise WorkFailedError(
            f"{engine} is wrong: its logits differ from PyTorch's by "
            f"{agreement.max_relative_error:.1e} of the largest, {allowed:.0e} is allowed "
            f"({agreement.top1_agreement:.0%} of {agreement.images} images agree)"
        )
