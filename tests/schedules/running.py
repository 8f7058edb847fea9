"""Running kernels on random data, for the tests of schedules."""

from typing import Any

import numpy as np
import tvm
from numpy.typing import NDArray
from tvm.tirx import PrimFunc

from pipeline.compiling import compile_function
from pipeline.targets import host
from schedules.cpu.kernel import Kernel
from schedules.cpu.operators import operator
from schedules.frame import Frame
from schedules.machine import Machine

Array = NDArray[np.float32]

AVX2 = Machine("avx2", 8, 16, 16, 16, 32768, 524288, cores=2)
AVX512 = Machine("avx512", 16, 32, 32, 32, 32768, 1048576, cores=2)
NEON = Machine("neon", 4, 32, 8, 8, 65536, 524288, cores=4, memory_operands=False, lane_factor=True)
MACHINES = [AVX2, AVX512, NEON]
# One multiply-add of the widest vectors a cycle, or two of half as many lanes, as on Zen 4.
NARROW_PAIRS = Machine("narrow pairs", 16, 32, 16, 32, 32768, 1048576, cores=2)

HOST = host()
SEED = 20
# A sum of a thousand products in another order, relative to the largest result.
TOLERANCE = 1e-5


def weights_of(kernel: Kernel, rng: np.random.Generator) -> dict[str, tuple[Array, Array]]:
    """Unpacked random weights and biases of every stage that has some."""
    made = {}
    for stage in kernel.stages:
        work = stage.work
        if not stage.constants:
            continue
        shape = {
            "Pointwise": lambda w=work: (w.groups * w.outputs, w.inputs),
            "PointwiseLanes": lambda w=work: (w.groups * w.outputs, w.inputs),
            "PointwiseDeep": lambda w=work: (w.groups * w.outputs, w.inputs),
            "SpreadPointwiseDeep": lambda w=work: (w.groups * w.outputs, w.inputs),
            "PointwiseUneven": lambda w=work: (w.groups * w.outputs, w.inputs),
            "Depthwise": lambda w=work: (w.source.channels, 3, 3),
            "FirstConvolution": lambda w=work: (w.target.channels, w.source.planes, 3, 3),
            "FirstConvolutionDeep": lambda w=work: (w.target.channels, w.source.planes, 3, 3),
            "PairedFirstConvolution": lambda w=work: (w.target.channels, w.source.planes, 3, 3),
            "SizedFirstConvolution": lambda w=work: (
                w.target.channels, w.source.planes, w.kernel, w.kernel
            ),
            "Convolution": lambda w=work: (w.groups * w.outputs, w.inputs, *w.kernel),
        }[type(work).__name__]()  # fmt: skip
        weight = rng.standard_normal(shape, dtype="float32") / np.sqrt(np.prod(shape[1:]))
        made[stage.name] = weight.astype("float32"), rng.standard_normal(shape[0], dtype="float32")
    return made


def arguments_of(kernel: Kernel, seed: int = SEED) -> dict[str, Array]:
    """Every input and packed constant by name, borders zero."""
    rng = np.random.default_rng(seed)
    print(f"seed {seed}")
    arguments = {name: activation(kernel.frames[name], rng) for name in kernel.inputs}
    weights = weights_of(kernel, rng)
    for stage in kernel.stages:
        if stage.name in weights:
            packed = operator(stage.work).pack(stage.work, *weights[stage.name])
            arguments |= {f"{stage.name}_{role}": packed[role] for role in packed}
    return arguments


def activation(frame: Frame, rng: np.random.Generator) -> Array:
    """Random pixels in a border of zeros."""
    made = np.zeros(frame.shape, "float32")
    pixels(frame, made)[:] = rng.standard_normal(pixels(frame, made).shape)
    return made


def pixels(frame: Frame, array: Array) -> Array:
    """[images, height, width, channels] of a tensor, as a view without the border."""
    if not isinstance(frame, Frame):
        return array
    border, whole = frame.border, frame.height + 2 * frame.border
    images = array.reshape(frame.images, whole, frame.width + 2 * border, -1)[..., : frame.channels]
    return images[:, border : whole - border, border : border + frame.width]


def run(function: PrimFunc, kernel: Kernel, arguments: dict[str, Array]) -> dict[str, Array]:
    """What the function updates, and writes into outputs that are filled with NaN."""
    (outputs,) = run_often(function, kernel, arguments, 1)
    return outputs


def run_often(
    function: PrimFunc, kernel: Kernel, arguments: dict[str, Array], times: int
) -> list[dict[str, Array]]:
    """The same of so many calls, each with arguments of its own."""
    library = compile_function(function, HOST)
    return [called(library["main"], kernel, arguments) for _ in range(times)]


def called(function: Any, kernel: Kernel, arguments: dict[str, Array]) -> dict[str, Array]:
    """What a compiled function updates, and writes into outputs that are filled with NaN."""
    inputs = {name: tvm.runtime.tensor(array) for name, array in arguments.items()}
    frames = {name: kernel.frames[name] for name in kernel.outputs}
    outputs = {
        name: tvm.runtime.tensor(np.full(frame.shape, np.nan, frame.dtype))
        for name, frame in frames.items()
    }
    function(*inputs.values(), *outputs.values())
    updated = {name: inputs[name] for name in kernel.updates}
    return {name: tensor.numpy() for name, tensor in (updated | outputs).items()}


def assert_same(ours: dict[str, Array], reference: dict[str, Array]) -> None:
    """Every element written in both or in neither, and equal to rounding."""
    for name, expected in reference.items():
        np.testing.assert_array_equal(np.isnan(ours[name]), np.isnan(expected), err_msg=name)
        scale = max(float(np.nanmax(np.abs(expected))), 1e-30)
        assert float(np.nanmax(np.abs(ours[name] - expected))) <= TOLERANCE * scale, name
