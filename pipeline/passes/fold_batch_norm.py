"""Batch normalisation into the convolution before it.

    add(conv2d(x, w), b) -> batch_norm      becomes      add(conv2d(x, w * scale), shift)

With the statistics of training, batch normalisation is `scale * x + shift` for each channel. Where
no convolution stands before it, or others read the convolution too, it stays as that.
"""

from dataclasses import dataclass

import numpy as np
import tvm
from numpy.typing import NDArray
from tvm import relax

from pipeline.passes.rewriting import Rewriter, array_of, constant, is_call, rewrite, shape_of


@tvm.transform.module_pass(opt_level=0, name="FoldBatchNorm")
class FoldBatchNorm:
    """Leave no batch_norm of constant statistics."""

    def transform_module(self, mod: tvm.IRModule, _: tvm.transform.PassContext) -> tvm.IRModule:
        return rewrite(mod, _fold)


@dataclass(frozen=True)
class _Affine:
    """`scale * x + shift`, one of each for a channel, in double precision."""

    scale: NDArray[np.float64]
    shift: NDArray[np.float64]


def _fold(rewriter: Rewriter, call: relax.Call) -> relax.Expr | None:
    if not is_call(call, "nn.batch_norm"):
        return None
    affine = _affine(call)
    if affine is None:
        return None
    data, _, _, mean, variance = call.args
    folded = _into_convolution(rewriter, data, affine)
    if folded is None:
        folded = _multiply_add(rewriter, data, affine)
    return relax.Tuple([folded, mean, variance])


def _affine(norm: relax.Call) -> _Affine | None:
    """None where the statistics are taken from the data or are no constants."""
    attrs = norm.attrs
    values = [array_of(arg) for arg in norm.args[1:]]
    if attrs.training or attrs.axis != 1 or any(value is None for value in values):
        return None
    gamma, beta, mean, variance = (np.asarray(value, "float64") for value in values)
    scale = 1 / np.sqrt(variance + attrs.epsilon)
    if attrs.scale:
        scale *= gamma
    return _Affine(scale, (beta if attrs.center else 0) - mean * scale)


def _into_convolution(rewriter: Rewriter, data: relax.Expr, affine: _Affine) -> relax.Expr | None:
    """None where `data` is no convolution's output or has other users."""
    conv, bias = _split_bias(rewriter, data)
    if not is_call(conv, "nn.conv2d") or not rewriter.has_one_user(data):
        return None
    weight = array_of(conv.args[1])
    attrs = conv.attrs
    if weight is None or (attrs.kernel_layout, attrs.out_layout) != ("OIHW", "NCHW"):
        return None
    scaled = constant(weight * affine.scale[:, None, None, None], weight.dtype)
    shift = (bias * affine.scale + affine.shift).reshape(1, -1, 1, 1)
    renewed = relax.Call(conv.op, [rewriter.renewed(conv.args[0]), scaled], attrs)
    return relax.op.add(rewriter.emit(renewed), constant(shift, data.ty.dtype.dtype))


def _split_bias(rewriter: Rewriter, data: relax.Expr) -> tuple[relax.Expr, NDArray[np.float64]]:
    """What computes `data` before its channels' bias, if it has one, and the bias."""
    value = rewriter.was(data)
    if is_call(value, "add"):
        per_channel = (1, shape_of(data)[1], 1, 1)
        for before, addend in (value.args, reversed(value.args)):
            bias = array_of(addend)
            if bias is not None and bias.shape == per_channel and rewriter.has_one_user(before):
                return rewriter.was(before), bias.reshape(-1).astype("float64")
    return value, np.zeros(1)


def _multiply_add(rewriter: Rewriter, data: relax.Expr, affine: _Affine) -> relax.Expr:
    shape = [1] * len(data.ty.shape)
    shape[1] = -1
    dtype = data.ty.dtype.dtype
    scaled = relax.op.multiply(rewriter.renewed(data), constant(affine.scale.reshape(shape), dtype))
    return relax.op.add(rewriter.emit(scaled), constant(affine.shift.reshape(shape), dtype))
