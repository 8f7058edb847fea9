"""Whole networks on a CPU from their CUDA source."""

import numpy as np

from pipeline.gpu.analysis import launch_of
from pipeline.gpu.build import Scheduled
from schedules.cuda.operators import program, signature
from tests.cuda.emulator import Array, Emulated


def compute(scheduled: Scheduled, images: Array, backwards: bool = False) -> Array:
    """The network's result; every tensor is filled with NaN before a kernel writes it."""
    network, emulated = scheduled.network, Emulated(scheduled.source)
    kernels = {one.work: one for one in scheduled.kernels}
    values = {network.source: images}
    for call in scheduled.calls:
        kernel, own = kernels[call.work], signature(call.work)
        arrays = {role: values[call.reads[role]] for role in own.inputs} | call.constants
        for role, one in own.outputs.items():
            fresh = np.full(one.shape, np.nan, one.dtype)
            arrays[role] = values.get(call.writes[role], fresh)
        for role, one in (own.inputs | own.constants | own.outputs).items():
            assert (arrays[role].size, arrays[role].dtype) == (np.prod(one.shape), one.dtype)
        blocks = launch_of(program(kernel.work, kernel.tile)).blocks
        made = emulated.run(kernel.name, blocks, arrays, backwards)
        values |= {call.writes[role]: made[role] for role in own.outputs}
    return values[network.result].reshape(network.result_shape)
