"""The kernels that this folder serves: which module claims which workload."""

from dataclasses import dataclass
from typing import Any

from tvm.tirx import PrimFunc

from schedules.cuda import emit_chain, mean, scale, tiles
from schedules.cuda.chain import Chain
from schedules.cuda.mean import Mean
from schedules.cuda.scale import Scale
from schedules.gpu import Gpu
from schedules.program import TensorType

Work = Chain | Mean | Scale
Types = dict[str, TensorType]


@dataclass(frozen=True)
class Signature:
    """The parameters of a kernel by role, in order."""

    inputs: Types
    constants: Types
    outputs: Types


def signature(work: Work) -> Signature:
    """The parameters of a kernel."""
    module = _module(work)
    return Signature(module.inputs(work), module.constants(work), module.outputs(work))


def program(work: Work, tile: Any) -> PrimFunc:
    """The kernel with the numbers of a tile."""
    made: PrimFunc = _module(work).program(work, tile)
    return made


def tiles_that_fit(work: Work, gpu: Gpu) -> list[Any]:
    """The search space: every tile within threads, shared memory and registers."""
    module = tiles if isinstance(work, Chain) else _module(work)
    return list(module.tiles_that_fit(work, gpu))


def hand_tile(work: Work, gpu: Gpu) -> Any:
    """The tile that follows from the GPU's record."""
    module = tiles if isinstance(work, Chain) else _module(work)
    return module.hand_tile(work, gpu)


def _module(work: Work) -> Any:
    return {Chain: emit_chain, Mean: mean, Scale: scale}[type(work)]
