"""Any spelling of a channel permutation as one `take`.

    reshape [1, 8, 5, 5] -> [1, 2, 4, 5, 5]
    permute_dims 0 2 1 3 4                      becomes      take(x, [0, 4, 1, 5, ...], axis=1)
    reshape -> [1, 8, 5, 5]

The chain may merge and split any axes on its way. What it does is followed on the factors of the
element index (see `strides.py`), so no spelling is listed here and no tensor is moved.
"""

import numpy as np
import tvm
from numpy.typing import NDArray
from tvm import relax

from pipeline.passes.rewriting import Rewriter, constant, is_call, rewrite, shape_of
from pipeline.passes.strides import Strided, offsets

RESHAPES = ("reshape", "flatten", "expand_dims", "squeeze")


@tvm.transform.module_pass(opt_level=0, name="FuseChannelShuffle")
class FuseChannelShuffle:
    """Leave one take along axis 1 of each chain that permutes channels, none of the identity."""

    def transform_module(self, mod: tvm.IRModule, _: tvm.transform.PassContext) -> tvm.IRModule:
        return rewrite(mod, _fuse)


def _fuse(rewriter: Rewriter, call: relax.Call) -> relax.Expr | None:
    """The longest chain that ends in `call`; tensors on its way stay for whoever else reads them.

    None where no chain that ends here permutes channels.
    """
    chain: list[relax.Call] = []
    best: tuple[relax.Expr, NDArray[np.int64]] | None = None
    expr: relax.Expr = call
    while _moves_data(expr):
        chain.insert(0, expr)
        source = expr.args[0]
        permutation = _channel_permutation(shape_of(source), chain)
        if permutation is not None:
            best = source, permutation
        expr = rewriter.was(source)
    return None if best is None else _take(rewriter.renewed(best[0]), best[1])


def _moves_data(expr: relax.Expr) -> bool:
    return is_call(expr, "permute_dims", *RESHAPES)


def _channel_permutation(
    shape: tuple[int, ...], chain: list[relax.Call]
) -> NDArray[np.int64] | None:
    """The channel of the source that each channel of the result is.

    None unless both are [N, C, H, W] of the same shape and N, H, W stay in place.
    """
    if len(shape) != 4 or shape_of(chain[-1]) != shape:
        return None
    source = Strided.of(shape)
    result: Strided | None = source
    for call in chain:
        result = None if result is None else _moved(result, call)
    before, after = source.axes(), None if result is None else result.axes()
    if before is None or after is None or any(before[i] != after[i] for i in (0, 2, 3)):
        return None
    return offsets(after[1]) // (shape[2] * shape[3])


def _moved(source: Strided, call: relax.Call) -> Strided | None:
    if not is_call(call, "permute_dims"):
        return source.reshaped(shape_of(call))
    axes = call.attrs.axes
    rank = len(source.shape)
    return source.permuted(
        range(rank)[::-1] if axes is None else [int(axis) % rank for axis in axes]
    )


def _take(data: relax.Expr, permutation: NDArray[np.int64]) -> relax.Expr:
    if np.array_equal(permutation, np.arange(len(permutation))):
        return data
    return relax.op.take(data, constant(permutation, "int64"), axis=1)
