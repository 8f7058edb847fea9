"""Profiling a bundle: its kernels timed apart, and everything that is known of each."""

import dataclasses
import statistics
from collections.abc import Sequence
from typing import Any

from pipeline.build import Lowered, apply, kernel_name, lower
from pipeline.bundle import Bundle
from pipeline.device_bench import Place
from pipeline.errors import RequestError, WorkFailedError
from pipeline.manifest import KernelEntry
from pipeline.measure import Progress
from pipeline.passes.group_stages import Call as NetworkCall
from pipeline.profiling.energy import energy
from pipeline.profiling.origins import common_path, origins
from pipeline.profiling.records import Call, EmulatedProfile, EnergyNote, Profile
from pipeline.profiling.replay import Subject, replayed, replayed_on_device
from pipeline.profiling.stamps import stamped
from pipeline.profiling.traffic import Tensors, missed_bytes, register_bytes, tensors_of
from pipeline.targets.host import last_cache_bytes
from schedules.cpu.border import Border
from schedules.cpu.kernel import Kernel, Stage
from schedules.cpu.operators import operator
from schedules.cpu.tiles import KernelTile


def profile(
    subject: Subject,
    threads: int,
    seconds: float,
    progress: Progress = lambda _: None,
    place: Place | None = None,
) -> Profile | EmulatedProfile:
    """Time every kernel with one number of threads.

    RequestError if the bundle is of another version of the compiler; WorkFailedError if the
    kernels, called one by one, compute something else than the network.
    """
    manifest, model = subject.bundle.manifest, subject.model
    if manifest.peak_activation_bytes is None and place is None:
        raise RequestError(
            f"{subject.bundle.folder} is for {manifest.target.name}, not this machine"
        )
    progress(f"{model.name}: reading the network")
    lowered = lower(model, subject.target)
    known = kernel_entries(subject.bundle, lowered)
    progress(f"{model.name}: {threads} threads, timing kernels for {seconds:.0f} s")
    functions = {
        kernel: apply(kernel, tile_of(entry, kernel))
        for kernel, entry in zip(lowered.kernels, known.values(), strict=True)
    }
    network = stamped(lowered, functions, subject.target)
    if place is None:
        found = replayed(subject, network, threads, seconds)
    else:
        found = replayed_on_device(subject, network, threads, seconds, place)
    if not found["same"]:
        raise WorkFailedError(f"the kernels of {model.name}, one by one, compute something else")
    device = "local" if place is None else str(place.address)
    if found.get("emulated"):
        return EmulatedProfile(
            model=model.name, target=manifest.target.name, device=device, threads=threads,
            batch=model.batch, input_size=model.input_size, calls=len(lowered.calls),
        )  # fmt: skip
    machine = subject.target.machine
    cache = max(machine.l2_bytes, last_cache_bytes() if place is None else 0)
    own = min(threads * machine.l2_bytes, cache)
    calls = _calls(lowered, known, found, origins(model.module, model.example, lowered.network))
    calls = with_misses(calls, [tensors_of(call) for call in lowered.calls], own, cache)
    totals = [sum(getattr(call, name) for call in calls) for name in ENERGY_TERMS]
    return Profile(
        model=model.name,
        target=manifest.target.name,
        device=device,
        threads=threads,
        batch=model.batch,
        input_size=model.input_size,
        parameters=manifest.parameters,
        library_bytes=manifest.library_bytes,
        peak_activation_bytes=manifest.peak_activation_bytes,
        cache_bytes=cache,
        whole_ms=statistics.median(found["whole"]) * 1e3,
        peak_gmacs=found["rates"]["peak"] / 1e9,
        bandwidth={name: rate / 1e9 for name, rate in found["rates"].items() if name != "peak"},
        energy=EnergyNote(**dataclasses.asdict(energy(*totals))),
        calls=calls,
    )


ENERGY_TERMS = ("macs", "register_bytes", "dram_bytes")


def kernel_entries(bundle: Bundle, lowered: Lowered) -> dict[str, KernelEntry]:
    """The manifest's entry of every kernel; RequestError where network and bundle differ."""
    entries = {entry.function: entry for entry in bundle.manifest.kernels}
    names = [kernel_name(kernel, number) for number, kernel in enumerate(lowered.kernels)]
    if names != list(entries):
        raise RequestError(
            f"{bundle.folder} has other kernels than this version makes of"
            f" {bundle.manifest.model}; compile it again"
        )
    return entries


def _calls(
    lowered: Lowered, entries: dict[str, KernelEntry], found: dict[str, Any], paths: list[str]
) -> list[Call]:
    """Every call with its time; what the library calls besides the kernels comes last."""
    names = dict(zip(lowered.kernels, entries, strict=True))
    traffic = {
        kernel: register_bytes(apply(kernel, tile_of(entries[name], kernel)))
        for kernel, name in names.items()
    }
    calls, times = [], list(zip(found["names"], found["seconds"], strict=True))
    remaining = iter(paths)
    for call, (name, seconds) in zip(lowered.calls, times, strict=False):
        if name != names[call.kernel]:
            raise WorkFailedError(f"the library calls {name} where {names[call.kernel]} is due")
        own = [next(remaining) for _ in _operators(call.kernel)]
        calls.append(_call(call, entries[name], seconds, own, traffic[call.kernel]))
    return calls + [_other(name, seconds) for name, seconds in times[len(calls) :]]


def _call(
    call: NetworkCall, entry: KernelEntry, seconds: float, paths: list[str], moved: int
) -> Call:
    kernel = call.kernel
    works = [stage.work for stage in _operators(kernel)]
    target = works[-1].target
    return Call(
        function=entry.function,
        path=common_path(paths),
        paths=paths,
        operators=[type(work).__name__ for work in works],
        output=f"{target.height}x{target.width}x{target.channels}",
        source=entry.source,
        ms=seconds * 1e3,
        macs=kernel.macs,
        multiplies=kernel.multiplies,
        edge_bytes=tensors_of(call).bytes,
        register_bytes=moved,
        far_bytes=0,
        dram_bytes=0,
    )


def with_misses(
    calls: Sequence[Call], tensors: Sequence[Tensors], own_bytes: int, last_bytes: int
) -> list[Call]:
    """The calls with what comes from beyond the cores' own caches, and from beyond the last one."""
    far, dram = (missed_bytes(tensors, size) for size in (own_bytes, last_bytes))
    missed = [*zip(far, dram, strict=True)] + [(0, 0)] * (len(calls) - len(tensors))
    return [
        call.model_copy(update={"far_bytes": beyond, "dram_bytes": memory})
        for call, (beyond, memory) in zip(calls, missed, strict=True)
    ]


def _other(name: str, seconds: float) -> Call:
    return Call(
        function=name, path="", paths=[], operators=[], output="", source="",
        ms=seconds * 1e3, macs=0, multiplies=0, edge_bytes=0, register_bytes=0, far_bytes=0,
        dram_bytes=0,
    )  # fmt: skip


def _operators(kernel: Kernel) -> list[Stage]:
    """The first stage of every operator."""
    return [s for s in kernel.stages if not isinstance(s.work, Border) and not s.continues]


def tile_of(entry: KernelEntry, kernel: Kernel) -> KernelTile:
    """The tile that the manifest says the kernel has."""
    stages = iter(entry.stages)
    tiles = []
    for stage in kernel.stages:
        fields: dict[str, Any] = {"strip_rows": entry.strip_rows}
        if not isinstance(stage.work, Border):
            fields = {k: v for k, v in next(stages).items() if k != "operator"}
        tiles.append(operator(stage.work).Tile(**fields))
    return KernelTile(entry.strip_rows, entry.sharing, tuple(tiles))
