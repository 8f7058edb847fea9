"""From compiled code to a bundle: a folder that runs wherever TVM's runtime and such a CPU are.

model.so              the code of every kernel, the weights, and the order of the calls
check.safetensors     an example image, PyTorch's output for it, and the library's own
manifest.json         what it is, what it needs, which tiles it has, and all checksums
"""

from pathlib import Path
from typing import Any

import torch
import tvm
from numpy.typing import NDArray
from safetensors.numpy import save_file

from pipeline.build import Built
from pipeline.bundle import Bundle
from pipeline.check import compare, require_agreement
from pipeline.elf import check_library
from pipeline.folders import check_place, replaced
from pipeline.linker import Linker, linker_for, runs_here
from pipeline.manifest import (
    CHECK,
    LIBRARY,
    Manifest,
    TensorSpec,
    WeightsSpec,
    file_digest,
    write_manifest,
)
from pipeline.memory import storage_bytes
from pipeline.models import Model
from pipeline.provenance import (
    describe_kernels,
    describe_target,
    versions,
)
from pipeline.targets import Target

Array = NDArray[Any]
DTYPE = "float32"
SEEDED = WeightsSpec(seed=0)


def export(  # noqa: PLR0913 - the last two are for few
    built: Built,
    model: Model,
    target: Target,
    folder: Path,
    weights: WeightsSpec = SEEDED,
    linker: Linker | None = None,
) -> Bundle:
    """Write the bundle of a model, whole or not at all; a bundle that is there is replaced.

    `weights` says where those of `model` are from. RequestError if something else is at `folder`,
    or no linker is found; WorkFailedError if the library is none that the target can load, or
    computes something else than PyTorch. What this machine cannot run is not run: the manifest
    then tells neither error nor memory, and `verify` on a device tells the error.
    """
    linker = linker or linker_for(target)
    check_place(folder)
    with replaced(folder) as draft:
        built.executable.export_library(str(draft / LIBRARY), fcompile=linker.link)
        used = check_library(draft / LIBRARY, target)
        image = model.example.numpy()
        stored = {"input": image, "torch": reference(model)}
        error = memory = None
        if runs_here(target):
            stored["ours"], memory = run_once(draft / LIBRARY, image)
            agreement = compare([stored["ours"]], [stored["torch"]])
            require_agreement(agreement, model.name, target.dtype)
            error = agreement.max_relative_error
        save_file(stored, draft / CHECK)
        (draft / CHECK).chmod(0o644)
        manifest = Manifest(
            model=model.name,
            input=TensorSpec(shape=image.shape, dtype=DTYPE),
            output=TensorSpec(shape=stored["torch"].shape, dtype=DTYPE),
            target=describe_target(target, used),
            weights=weights,
            versions=versions(),
            macs=model.macs,
            parameters=model.parameters,
            library_bytes=(draft / LIBRARY).stat().st_size,
            peak_activation_bytes=memory,
            max_relative_error=error,
            records=target.family,
            kernels=describe_kernels(built),
            files={name: file_digest(draft / name) for name in (LIBRARY, CHECK)},
        )
        write_manifest(manifest, draft)
    return Bundle(folder, manifest)


def reference(model: Model) -> Array:
    """PyTorch's output for the example."""
    with torch.inference_mode():
        output: Array = model.module(model.example).numpy()
    return output


def run_once(library: Path, image: Array) -> tuple[Array, int]:
    """The output of a library, and the bytes that it allocates for tensors."""
    machine = tvm.relax.VirtualMachine(tvm.runtime.load_module(str(library)), tvm.cpu())
    with storage_bytes(machine) as storage:
        output: Array = machine["main"](tvm.runtime.tensor(image)).numpy()
    return output, sum(storage)
