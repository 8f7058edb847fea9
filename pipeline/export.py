"""From compiled code to a bundle: a folder that runs wherever TVM's runtime and such a CPU are.

model.so              the code of every kernel, the weights, and the order of the calls
check.safetensors     an example image, PyTorch's output for it, and the library's own
manifest.json         what it is, what it needs, which tiles it has, and all checksums
"""

import subprocess
from pathlib import Path
from typing import Any

import torch
import tvm
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tvm.support import cc

from pipeline.build import Built
from pipeline.bundle import Bundle
from pipeline.check import compare, require_agreement
from pipeline.errors import WorkFailedError
from pipeline.folders import check_place, replaced
from pipeline.linker import require_linker
from pipeline.manifest import (
    CHECK,
    LIBRARY,
    Manifest,
    TensorSpec,
    WeightsSpec,
    file_digest,
    write_manifest,
)
from pipeline.memory import scratch_bytes, storage_bytes
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


def export(
    built: Built,
    model: Model,
    target: Target,
    folder: Path,
    weights: WeightsSpec = SEEDED,
) -> Bundle:
    """Write the bundle of a model, whole or not at all; a bundle that is there is replaced.

    `weights` says where those of `model` are from. RequestError if something else is at `folder`,
    or no linker is found; WorkFailedError if the library computes something else than PyTorch.
    """
    check_place(folder)
    with replaced(folder) as draft:
        _link(built, draft / LIBRARY)
        image = model.example.numpy()
        expected = reference(model)
        output, storage = run_once(draft / LIBRARY, image)
        agreement = compare([output], [expected])
        require_agreement(agreement, model.name)
        save_file({"input": image, "torch": expected, "ours": output}, draft / CHECK)
        (draft / CHECK).chmod(0o644)
        manifest = Manifest(
            model=model.name,
            input=TensorSpec(shape=image.shape, dtype=DTYPE),
            output=TensorSpec(shape=output.shape, dtype=DTYPE),
            target=describe_target(target),
            weights=weights,
            versions=versions(),
            macs=model.macs,
            parameters=model.parameters,
            library_bytes=(draft / LIBRARY).stat().st_size,
            peak_activation_bytes=storage + scratch_bytes(built.lowered.kernels),
            max_relative_error=agreement.max_relative_error,
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
    """The output of a library, and the bytes that it allocates for tensors between kernels."""
    machine = tvm.relax.VirtualMachine(tvm.runtime.load_module(str(library)), tvm.cpu())
    with storage_bytes(machine) as storage:
        output: Array = machine["main"](tvm.runtime.tensor(image)).numpy()
    return output, sum(storage)


def _link(built: Built, path: Path) -> None:
    linker = require_linker()
    try:
        built.executable.export_library(str(path), fcompile=cc.create_shared, cc=linker)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        last = (str(error).strip().splitlines() or ["no word why"])[-1]
        raise WorkFailedError(f"linking with {linker} failed: {last}") from error
