"""Channel permutations past everything that acts on each channel alone.

    depthwise(take(x, p), w)     becomes     take(depthwise(x, w[inverse of p]), p)

and so on through bias, batch normalisation, ReLU and pooling, until the permutation stands before
the convolution that mixes channels. There it is nothing but the order in which that convolution
reads its input; a dense one takes it into its weight.
"""

import numpy as np
import tvm
from numpy.typing import NDArray
from tvm import relax

from pipeline.passes.rewriting import Rewriter, array_of, constant, is_call, rewrite, shape_of

Permutation = NDArray[np.int64]  # the input channel of each output channel

# Operators of one tensor that treat all channels alike and keep them apart.
CHANNELWISE = (
    "clip",
    "sigmoid",
    "tanh",
    "nn.avg_pool2d",
    "nn.leakyrelu",
    "nn.max_pool2d",
    "nn.relu",
    "nn.silu",
)
# Operators of two tensors that do so when one is constant.
BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum")


@tvm.transform.module_pass(opt_level=0, name="SinkChannelShuffle")
class SinkChannelShuffle:
    """Move each take of one user as far down as it goes; two that meet become one."""

    def transform_module(self, mod: tvm.IRModule, _: tvm.transform.PassContext) -> tvm.IRModule:
        return rewrite(mod, _sink)


def channel_permutation(expr: relax.Expr) -> Permutation | None:
    """The permutation of a take along axis 1 of [N, C, H, W]; None for anything else."""
    if not is_call(expr, "take") or expr.attrs.axis != 1 or len(shape_of(expr)) != 4:
        return None
    indices, channels = array_of(expr.args[1]), np.arange(shape_of(expr.args[0])[1])
    if indices is None or indices.ndim != 1 or not np.array_equal(np.sort(indices), channels):
        return None
    return indices.astype("int64")


def _sink(rewriter: Rewriter, call: relax.Call) -> relax.Expr | None:
    """`call` on what the take before it reads, and the take after it; None where it stays."""
    for index, operand in enumerate(call.args):
        if not isinstance(operand, relax.Var) or not rewriter.has_one_user(operand):
            continue
        shuffle = rewriter.made(rewriter.renewed(operand))
        permutation = channel_permutation(shuffle)
        if permutation is not None:
            args = list(call.args)
            args[index] = shuffle.args[0]
            return _moved(rewriter, relax.Call(call.op, args, call.attrs), index, permutation)
    return None


def _moved(
    rewriter: Rewriter, call: relax.Call, index: int, permutation: Permutation
) -> relax.Expr | None:
    """The same values as of `call` with its argument `index` permuted."""
    if is_call(call, "nn.conv2d") and index == 0:
        return _convolution(rewriter, call, permutation)
    if is_call(call, "nn.batch_norm") and index == 0:
        return _batch_norm(rewriter, call, permutation)
    if is_call(call, "take") and index == 0:
        return _merged(call, permutation)
    if is_call(call, *BINARY):
        return _with_constant(rewriter, call, 1 - index, permutation)
    if is_call(call, *CHANNELWISE) and getattr(call.attrs, "layout", "NCHW") == "NCHW":
        return _take(rewriter.emit(call), permutation)
    return None


def _convolution(
    rewriter: Rewriter, conv: relax.Call, permutation: Permutation
) -> relax.Expr | None:
    """Depthwise: the take comes after it. Dense: it reads its input in another order."""
    weight, attrs = array_of(conv.args[1]), conv.attrs
    layouts = (attrs.data_layout, attrs.kernel_layout, attrs.out_layout)
    if weight is None or layouts != ("NCHW", "OIHW", "NCHW"):
        return None
    inverse = np.argsort(permutation)
    if attrs.groups == 1:
        reordered = constant(weight[:, inverse], weight.dtype)
        return relax.Call(conv.op, [conv.args[0], reordered], attrs)
    if attrs.groups == len(permutation) == len(weight):
        reordered = constant(weight[inverse], weight.dtype)
        depthwise = relax.Call(conv.op, [conv.args[0], reordered], attrs)
        return _take(rewriter.emit(depthwise), permutation)
    return None


def _with_constant(
    rewriter: Rewriter, call: relax.Call, index: int, permutation: Permutation
) -> relax.Expr | None:
    """None where argument `index` is not constant."""
    other = array_of(call.args[index])
    if other is None or other.ndim > 4:
        return None
    if other.ndim >= 3 and other.shape[-3] != 1:
        other = other.take(np.argsort(permutation), axis=-3)
    args = list(call.args)
    args[index] = constant(other, other.dtype)
    return _take(rewriter.emit(relax.Call(call.op, args, call.attrs)), permutation)


def _batch_norm(
    rewriter: Rewriter, norm: relax.Call, permutation: Permutation
) -> relax.Expr | None:
    """With constant statistics, the second and third result are the last two arguments."""
    values = [array_of(arg) for arg in norm.args[1:]]
    if norm.attrs.training or norm.attrs.axis != 1 or any(value is None for value in values):
        return None
    inverse = np.argsort(permutation)
    reordered = [constant(value[inverse], value.dtype) for value in values if value is not None]
    results = rewriter.emit(relax.Call(norm.op, [norm.args[0], *reordered], norm.attrs))
    normalised = rewriter.emit(relax.TupleGetItem(results, 0))
    return relax.Tuple([_take(normalised, permutation), *norm.args[3:]])


def _merged(second: relax.Call, first: Permutation) -> relax.Expr | None:
    """Two takes as one, or as none where the second undoes the first."""
    indices = array_of(second.args[1])
    if indices is None or indices.ndim != 1 or second.attrs.axis != 1:
        return None
    merged = first[indices]
    if np.array_equal(merged, np.arange(len(first))):
        return second.args[0]
    return _take(second.args[0], merged)


def _take(data: relax.Expr, permutation: Permutation) -> relax.Expr:
    return relax.op.take(data, constant(permutation, "int64"), axis=1)
