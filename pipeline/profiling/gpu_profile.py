"""Profiling a bundle on the GPU of this machine: its kernels timed apart, and what is known of
each."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.build import read_network
from pipeline.bundle import Bundle
from pipeline.errors import RequestError, WorkFailedError
from pipeline.gpu.bound import FORMULA, bound_of
from pipeline.gpu.build import calls_on, kernels_of
from pipeline.gpu.calls import Call as NetworkCall
from pipeline.gpu.local import require_gpu
from pipeline.gpu.tile_fields import gpu_tile
from pipeline.manifest import KernelEntry, Manifest
from pipeline.measure import Progress
from pipeline.models import Model
from pipeline.operators import Network, Operator
from pipeline.profiling.gpu_records import GpuCall, GpuProfile
from pipeline.profiling.origins import common_path, origins
from pipeline.profiling.replay import replayed_on_gpu
from pipeline.targets import GpuTarget, gpu_target
from schedules.cuda.chain import Chain
from schedules.cuda.mean import Mean
from schedules.cuda.operators import Work
from schedules.gpu import Gpu


@dataclass(frozen=True)
class Known:
    """A kernel of a bundle: its entry in the manifest, and the tile that this names."""

    entry: KernelEntry
    tile: Any


def profile_on_gpu(
    bundle: Bundle, model: Model, seconds: float, progress: Progress = lambda _: None
) -> GpuProfile:
    """Time every kernel of a bundle on the GPU of this machine.

    RequestError if there is none, or the bundle is of another version of the compiler;
    WorkFailedError if the kernels, called one by one, compute something else than the network.
    """
    gpu, manifest = require_gpu("profile"), bundle.manifest
    progress(f"{model.name}: reading the network")
    target = gpu_target(manifest.target.name, manifest.target.dtype)
    network = read_network(model)
    calls = calls_on(network, target)
    known = kernels_known(bundle, calls, target)
    paths = origins(model.module, model.example, network)
    modules = dict(zip(map(id, network.operators), paths, strict=True))
    progress(f"{model.name}: timing kernels for {seconds:.0f} s")
    found = replayed_on_gpu(bundle, model, seconds)
    if not found["same"]:
        raise WorkFailedError(f"the kernels of {model.name}, one by one, compute something else")
    _require_order(found["names"], [known[call.work].entry.function for call in calls])
    return GpuProfile(
        model=model.name,
        target=manifest.target.name,
        gpu=found["gpu"],
        architecture=gpu.architecture,
        batch=model.batch,
        input_size=model.input_size,
        dtype=target.dtype,
        parameters=manifest.parameters,
        library_bytes=manifest.library_bytes,
        nodes=found["nodes"],
        whole_ms=statistics.median(found["whole"]) * 1e3,
        peak_gmacs=gpu.peak(target.dtype) / 1e9,
        bound_formula=FORMULA,
        calls=[
            _call(call, known[call.work], taken, _origin(call, network, modules), gpu)
            for call, taken in zip(calls, found["seconds"], strict=True)
        ],
    )


def kernels_known(
    bundle: Bundle, calls: Sequence[NetworkCall], target: GpuTarget
) -> dict[Work, Known]:
    """The kernels of the calls as the manifest has them; RequestError where the two differ."""
    manifest = bundle.manifest
    entries = {entry.function: entry for entry in manifest.kernels}
    kernels = kernels_of(calls, target)
    found = {
        kernel.work: Known(entries[kernel.name], _tile(entries[kernel.name], kernel.work, target))
        for kernel in kernels
        if kernel.name in entries
    }
    if len(found) != len(entries) or any(one.tile is None for one in found.values()):
        raise RequestError(_others(bundle, manifest))
    return found


def _others(bundle: Bundle, manifest: Manifest) -> str:
    return (
        f"{bundle.folder} has other kernels than this version makes of {manifest.model}; compile it"
        " again"
    )


def _tile(entry: KernelEntry, work: Work, target: GpuTarget) -> Any:
    fields = {name: value for name, value in entry.stages[0].items() if name != "operator"}
    return gpu_tile(work, fields, target.gpu)


def _require_order(called: Sequence[str], due: Sequence[str]) -> None:
    for name, expected in zip(called, due, strict=False):
        if name != expected:
            raise WorkFailedError(f"the library calls {name} where {expected} is due")
    if len(called) != len(due):
        raise WorkFailedError(f"the library makes {len(called)} calls, not {len(due)}")


def _call(
    call: NetworkCall, known: Known, taken: float, origin: dict[str, Any], gpu: Gpu
) -> GpuCall:
    work, bound = call.work, bound_of(call.work, known.tile, gpu)
    return GpuCall(
        **origin,
        function=known.entry.function,
        output=_output(work),
        source=known.entry.source,
        ms=taken * 1e3,
        edge_bytes=bound.device_bytes,
        matrices=isinstance(work, Chain) and work.matrices,
        bound_ms=bound.seconds * 1e3,
        bound_by=bound.limit,
    )


def _origin(call: NetworkCall, network: Network, modules: dict[int, str]) -> dict[str, Any]:
    """What a call computes, and the modules that this came from."""
    paths = [modules[id(one)] for one in call.operators]
    return {
        "path": common_path(paths),
        "paths": paths,
        "operators": [one.kind for one in call.operators],
        "macs": sum(_macs(one, network) for one in call.operators),
    }


def _macs(operator: Operator, network: Network) -> int:
    """Multiply-adds of an operator for all images; those of a kernel have zeros among them."""
    if operator.weight is None:
        return 0
    images, _, height, width = network.shapes[operator.writes]
    return images * height * width * operator.weight.size


def _output(work: Work) -> str:
    """Height, width and channels of an image's first result."""
    target = work.source if isinstance(work, Mean) else work.target
    mean = isinstance(work, Mean) or (isinstance(work, Chain) and work.mean)
    return f"1x1x{target.channels}" if mean else f"{target.height}x{target.width}x{target.channels}"
