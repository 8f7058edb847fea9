"""Kernels in float16 of every kind, small and odd."""

from schedules.cuda.chain import Chain, on_matrices, patch_values
from schedules.cuda.mean import Mean
from schedules.cuda.operators import Work
from schedules.cuda.order import Order
from schedules.cuda.product import Product
from schedules.cuda.scale import Scale
from schedules.cuda.window import Window
from schedules.frame import Frame, Planes

HALF = "float16"
# Two roundings to 11 bits of sums that are taken in another order.
TOLERANCE = 2e-3


def frame(*extents: int) -> Frame:
    return Frame(*extents, dtype=HALF)


def product(
    groups: int, inputs: int, outputs: int, activation: str = "none", sources: int = 0
) -> Product:
    return Product(groups, inputs, outputs, activation, sources, HALF)


ORDER = Order(12, 2, 2, HALF)
PRODUCTS = {
    "odd groups": Chain(frame(2, 3, 5, 18), frame(2, 3, 5, 21), project=product(3, 6, 7, "relu")),
    "classifier": Chain(frame(3, 1, 1, 48), Frame(3, 1, 1, 10), project=product(1, 48, 10)),
    "deep": Chain(frame(2, 3, 5, 300), frame(2, 3, 5, 72), project=product(1, 300, 72)),
    "residual": Chain(
        frame(1, 7, 9, 32), frame(1, 7, 9, 30), window=Window("depthwise", 1),
        project=product(2, 16, 15, "relu"), residual=True,
    ),
    "unit": Chain(
        frame(2, 5, 6, 10), frame(2, 3, 3, 16), expand=product(1, 10, 12, "relu"),
        middle=frame(2, 5, 6, 12), window=Window("depthwise", 2), project=product(1, 16, 16),
    ),
    "unit of groups": Chain(
        frame(2, 5, 6, 40), frame(2, 5, 6, 36), expand=product(4, 20, 16, "relu", sources=2),
        middle=frame(2, 5, 6, 64), window=Window("depthwise", 1),
        project=product(2, 32, 18, "relu"),
    ),
    "first": Chain(
        Planes(2, 3, 17, 19), frame(2, 5, 5, 24),
        expand=product(1, patch_values(HALF), 24, "relu"), middle=frame(2, 9, 10, 24),
        window=Window("max", 2), stride=2,
    ),
    "follow": Chain(
        frame(1, 7, 9, 48), frame(1, 7, 9, 46), window=Window("depthwise", 1),
        project=product(2, 24, 23, "relu"), follow=product(2, 24, 6, "relu"), order=ORDER,
        after=ORDER.places,
    ),
    "fused mean": Chain(
        frame(2, 4, 5, 16), frame(2, 4, 5, 22), expand=product(4, 8, 8, "relu", sources=2),
        middle=frame(2, 4, 5, 32), window=Window("depthwise", 1),
        project=product(2, 16, 11, "relu"), residual=True, mean=True,
    ),
    "pooled follow": Chain(
        frame(2, 7, 5, 16), frame(2, 4, 3, 48), window=Window("depthwise", 2),
        project=product(2, 8, 12, "relu"), follow=product(2, 24, 6), order=ORDER,
        after=ORDER.places, offset=24, pooled=frame(2, 7, 5, 24), pool=Window("average", 2),
    ),
    "shuffled rows": Chain(
        frame(1, 5, 7, 24), frame(1, 5, 7, 12), project=product(2, 12, 6), order=ORDER
    ),
    "shuffled runs": Chain(
        frame(1, 5, 7, 24), frame(1, 5, 7, 112), project=product(2, 12, 56),
        order=Order(112, 2, 2, HALF),
    ),
}  # fmt: skip
OTHERS: dict[str, Work] = {
    "depthwise": Chain(frame(1, 7, 7, 64), frame(1, 4, 4, 64), window=Window("depthwise", 2)),
    "mean": Mean(frame(3, 5, 7, 24), HALF),
    "mean of the result": Mean(frame(3, 5, 7, 24)),
    "scale": Scale(frame(2, 3, 5, 12), frame(2, 3, 5, 12), residual=True, activation="relu"),
}
MATRICES = {f"{name} on tensor cores": on_matrices(chain) for name, chain in PRODUCTS.items()}
WORKS: dict[str, Work] = {**PRODUCTS, **OTHERS, **MATRICES}
