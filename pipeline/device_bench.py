"""Models and bundles on a device over RPC: outputs compared with PyTorch, times by its own clock.

    for each number of threads, each model:        # after a time to cool down
        a session: upload, compare, warm up
        until there are enough samples:
            a round of inferences, and some of nothing but multiply-adds
        the clock and the temperature of the device, before and after

The network between here and there is in no time. An emulated device is compared with PyTorch and
not timed: its times would say nothing of any device.
"""

import dataclasses
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pipeline.bench import Observer, is_bundle, is_for_gpu, prepared, subject_of, tell_coverage
from pipeline.bundle import read_bundle
from pipeline.check import Array, compare, require_agreement
from pipeline.compile import Recipe
from pipeline.contest import Conditions, Judging, judged
from pipeline.devices.address import RpcAddress
from pipeline.devices.probe import examine
from pipeline.devices.remote import target_of
from pipeline.engines.process import EngineProcess
from pipeline.engines.registry import REMOTE
from pipeline.environment import describe_environment
from pipeline.errors import RequestError
from pipeline.linker import linker_for
from pipeline.peak import build_peak
from pipeline.peak_kernel import PeakKernel
from pipeline.results import DeviceState, Emulated, Result, ResultFile
from pipeline.runner import Runner
from pipeline.steadiness import Ceiling, latency
from pipeline.subject import Subject
from pipeline.targets import Target

SILENT = Observer()
# Of multiply-adds alone, in each round.
PEAK_COUNT = 5


@dataclasses.dataclass(frozen=True)
class Place:
    """A device, which of its cores work, and how long it rests before a model."""

    address: RpcAddress
    cores: str = "big"
    cool_down: float = 0.0


def bench_device(
    recipes: Sequence[Recipe],
    threads: Sequence[int],
    place: Place,
    conditions: Conditions,
    observer: Observer = SILENT,
) -> ResultFile:
    """Measure every recipe, whose `model` may also be the folder of a bundle.

    RequestError if the device cannot run code for a target, before anything is compiled;
    WorkFailedError if an output is wrong or the device is lost.
    """
    targets = [target_for(recipe) for recipe in recipes]
    for target in dict.fromkeys(targets):
        observer.prepare(f"trying a small kernel for {target.name} on {place.address}")
        examine(place.address, target)
    results: list[Result] = []
    emulated: list[Emulated] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shufflenet-tvm-")))
        subjects = []
        for number, (recipe, target) in enumerate(zip(recipes, targets, strict=True)):
            bundle, model = prepared(recipe, folder / str(number), observer.prepare)
            subject = subject_of(bundle, model, target, recipe.weights)
            subjects.append((dataclasses.replace(subject, device=str(place.address)), target))
        for subject, _ in subjects:
            tell_coverage(subject, observer)
        contests = [(count, *one) for count in threads for one in subjects]
        observer.expect(len(contests))
        for number, (count, subject, target) in enumerate(contests):
            observer.begin(subject.model.name, count)
            here = dataclasses.replace(conditions, threads=count, progress=observer.step)
            if number and place.cool_down:
                observer.step(f"cooling down for {place.cool_down:.0f} s")
                # Asked for with --cool-down: a phone that was just measured is slower than one that
                # rested, and most tell no temperature to wait for.
                time.sleep(place.cool_down)
            found = _measured(subject, target, place, here)
            if isinstance(found, Result):
                results.append(found)
            else:
                emulated.append(found)
    # The ceilings of this machine are none of the device's, which are in its results.
    environment = describe_environment({"weights": recipes[0].seed}, {}, {})
    return ResultFile(environment=environment, results=results, emulated=emulated)


def target_for(recipe: Recipe) -> Target:
    """What a recipe is compiled for, or its bundle was; RequestError if nothing links for it, or it
    is a GPU."""
    if is_for_gpu(recipe):
        raise RequestError(
            "a network on a GPU is timed beside it, as one CUDA graph: run the command there, "
            "without --device"
        )
    if is_bundle(recipe):
        return target_of(read_bundle(Path(recipe.model)).manifest.target)
    target = recipe.resolved()
    linker_for(target, recipe.linker)
    return target


def _measured(
    subject: Subject, target: Target, place: Place, conditions: Conditions
) -> Result | Emulated:
    kernel = PeakKernel(
        subject.lanes, subject.accumulators, conditions.threads, dtype=subject.dtype
    )
    images = subject.images()
    with tempfile.TemporaryDirectory(prefix="shufflenet-tvm-") as folder:
        library = Path(folder) / "peak.so"
        build_peak(kernel, target.tvm, library, linker_for(target).link)
        source: dict[str, Any] = {
            "bundle": str(subject.bundle.resolve()),
            "device": str(place.address),
            "cores": place.cores,
            "peak": {"library": str(library), "kernel": dataclasses.asdict(kernel)},
            "architecture": target.architecture,
        }
        conditions.progress(f"loading on the device, {conditions.threads} threads")
        with EngineProcess(REMOTE, conditions.threads) as process:
            runner = Runner(process)
            runner.prepare(source, images, conditions.plan)
            before = _state(process)
            if before["emulated"]:
                return _emulated(subject, runner, images)
            loops = _rounds(runner, conditions)
            after = _state(process)
    samples = [1e3 * sample for loop in loops for sample in loop]
    ceiling = Ceiling(kernel.macs / 1e6 / latency(samples).p50, loops)
    # What else this machine did meanwhile has nothing to do with the device.
    measurement = dataclasses.replace(runner.measurement(), load=None)
    ((result,), _) = judged(subject, [measurement], images, Judging(ceiling, conditions))
    states = {"before": _note(before), "after": _note(after)}
    return result.model_copy(update={"cores_used": None, **states})


def _emulated(subject: Subject, runner: Runner, images: Sequence[Array]) -> Emulated:
    agreement = compare(runner.outputs, subject.reference(images))
    require_agreement(agreement, f"{subject.model.name} on {subject.device}", subject.dtype)
    return Emulated(
        model=subject.model.name,
        target=subject.target_name,
        device=subject.device,
        threads=runner.process.threads,
        batch=subject.model.batch,
        input_size=subject.model.input_size,
        dtype=subject.dtype,
        images=agreement.images,
        max_relative_error=agreement.max_relative_error,
        top1_agreement=agreement.top1_agreement,
        schedule_sources=subject.schedule_sources,
        settings=runner.settings,
    )


def _rounds(runner: Runner, conditions: Conditions) -> list[tuple[float, ...]]:
    """Take rounds until there is enough; the times of the ceiling in each of them."""
    plan, start = conditions.plan, time.monotonic()
    loops: list[tuple[float, ...]] = []
    while (elapsed := time.monotonic() - start) < plan.limit_seconds:
        if elapsed >= plan.seconds and runner.has_enough(plan):
            break
        conditions.progress(f"round {len(loops) + 1}, {elapsed:.0f} s")
        runner.take_round(plan)
        runner.process.resume()
        loops.append(runner.process.ceiling(PEAK_COUNT))
    return loops


def _state(process: EngineProcess) -> dict[str, Any]:
    process.resume()
    return process.state()


def _note(state: dict[str, Any]) -> DeviceState:
    clocks = [khz / 1e3 for khz in state["frequencies_khz"] or ()]
    return DeviceState(
        cpu=state["cpu"], frequencies_mhz=clocks or None, temperature_c=state["temperature_c"]
    )
