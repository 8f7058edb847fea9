"""Where a bundle comes from: target, weights, versions, and the tile of every kernel."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from tvm.target import codegen

from pipeline.build import Built
from pipeline.manifest import KernelEntry, TargetSpec, WeightsSpec, file_digest
from pipeline.processor import architecture, linux_names, needed_features
from pipeline.targets import Target
from pipeline.targets.arm import cores_with
from pipeline.targets.x86 import LEVELS
from schedules.cpu.border import Border

PACKAGES = ("apache-tvm", "apache-tvm-ffi", "torch")
OWN_PACKAGE = "shufflenet-tvm"


def describe_target(target: Target, used: Sequence[str] = ()) -> TargetSpec:
    """The target, with the features of the CPU that its code needs.

    Of ARM code these are the features that it was seen to use (`used`), of code for a level of
    x86-64 those of the level, of other code all those of this machine's kind of CPU that the
    compiler may use.
    """
    own = architecture(target.architecture)
    if used or target.name in LEVELS:
        features = linux_names(own, used or target.features)
    else:
        features = needed_features(target.features, codegen.llvm_get_cpu_features(target.tvm))
    return TargetSpec(
        name=target.name,
        triple=target.triple,
        architecture=own,
        cpu=target.cpu,
        features=features,
        cores=tuple(cores_with(target.architecture, used)) if used else (),
        dtype=target.dtype,
    )


def describe_weights(weights: Path | None, seed: int) -> WeightsSpec:
    """The origin of the weights, by content."""
    if weights is None:
        return WeightsSpec(seed=seed)
    return WeightsSpec(seed=seed, file=weights.name, sha256=file_digest(weights))


def describe_kernels(built: Built) -> list[KernelEntry]:
    """Every function with its tile and the source of it."""
    calls = Counter(call.kernel for call in built.lowered.calls)
    return [
        KernelEntry(
            function=built.names[kernel],
            calls=calls[kernel],
            source=served.source,
            strip_rows=served.tile.strip_rows,
            sharing=served.tile.sharing,
            seconds=served.seconds,
            refused=served.refused,
            stages=[
                {"operator": type(stage.work).__name__, **dataclasses.asdict(tile)}
                for stage, tile in zip(kernel.stages, served.tile.stages, strict=True)
                if not isinstance(stage.work, Border)
            ],
        )
        for kernel, served in built.served.items()
    ]


def versions() -> dict[str, str]:
    """The packages that had a part in the code."""
    found = {name: metadata.version(name) for name in PACKAGES}
    try:
        own = metadata.version(OWN_PACKAGE)
    except metadata.PackageNotFoundError:
        own = "not installed"
    return found | {OWN_PACKAGE: own}
