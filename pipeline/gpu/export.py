"""From code for GPUs to a bundle: the same files as for a CPU.

The library has the host side, the device code of every architecture, the weights, and the order of
the calls. Where this machine has such a GPU, it is run and compared with PyTorch; elsewhere the
manifest tells no error, and `verify` beside a GPU does.
"""

import dataclasses
from pathlib import Path
from typing import Any

from safetensors.numpy import save_file

from pipeline.bundle import Bundle
from pipeline.elf import check_library
from pipeline.export import DTYPE, SEEDED, reference
from pipeline.folders import check_place, replaced
from pipeline.gpu.build import BuiltGpu, Kernel
from pipeline.gpu.package import export_library
from pipeline.gpu.resources import Resources
from pipeline.linker import Linker, linker_for
from pipeline.manifest import (
    CHECK,
    LIBRARY,
    GpuSpec,
    KernelEntry,
    Manifest,
    TensorSpec,
    WeightsSpec,
    file_digest,
    write_manifest,
)
from pipeline.models import Model
from pipeline.provenance import describe_target, versions
from pipeline.targets import GpuTarget


def export_gpu(  # noqa: PLR0913 - the last two are for few
    built: BuiltGpu,
    model: Model,
    target: GpuTarget,
    folder: Path,
    weights: WeightsSpec = SEEDED,
    linker: Linker | None = None,
) -> Bundle:
    """Write the bundle of a model, whole or not at all; a bundle that is there is replaced.

    RequestError if something else is at `folder`, or no linker is found.
    """
    linker = linker or linker_for(target.host)
    check_place(folder)
    with replaced(folder) as draft:
        executable, code = built.scheduled.executable, built.code
        export_library(executable.mod, code.binary, draft / LIBRARY, linker)
        check_library(draft / LIBRARY, target.host)
        image = model.example.numpy()
        stored: dict[str, Any] = {"input": image, "torch": reference(model)}
        save_file(stored, draft / CHECK)
        (draft / CHECK).chmod(0o644)
        host = describe_target(target.host)
        gpu = GpuSpec(architectures=code.architectures, compiler=code.compiler)
        manifest = Manifest(
            model=model.name,
            input=TensorSpec(shape=image.shape, dtype=DTYPE),
            output=TensorSpec(shape=stored["torch"].shape, dtype=DTYPE),
            target=host.model_copy(update={"name": target.name, "gpu": gpu, "dtype": target.dtype}),
            weights=weights,
            versions=versions(),
            macs=model.macs,
            parameters=model.parameters,
            library_bytes=(draft / LIBRARY).stat().st_size,
            peak_activation_bytes=None,
            max_relative_error=None,
            records=target.family,
            kernels=[_entry(kernel, code.resources) for kernel in built.scheduled.kernels],
            files={name: file_digest(draft / name) for name in (LIBRARY, CHECK)},
        )
        write_manifest(manifest, draft)
    return Bundle(folder, manifest)


def _entry(kernel: Kernel, resources: tuple[Resources, ...]) -> KernelEntry:
    """A kernel with its tile, and what it takes on each architecture."""
    tile = {"operator": type(kernel.work).__name__, **dataclasses.asdict(kernel.tile)}
    own = tuple(one.model_dump() for one in resources if one.function == kernel.name)
    return KernelEntry(
        function=kernel.name,
        calls=kernel.calls,
        source=kernel.source,
        stages=[tile],
        seconds=kernel.seconds,
        refused=kernel.refused,
        resources=own,
    )
