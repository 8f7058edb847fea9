"""Profiles of models and bundles, on a CPU each with each number of threads."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from pipeline.bench import check_recipe, is_for_gpu, prepared
from pipeline.compile import Recipe
from pipeline.device_bench import Place, target_for
from pipeline.devices.probe import examine
from pipeline.environment import describe_environment
from pipeline.gpu.graph import cuda_runtime
from pipeline.profiling.gpu_profile import profile_on_gpu
from pipeline.profiling.gpu_records import GpuProfile
from pipeline.profiling.profile import profile
from pipeline.profiling.records import EmulatedProfile, Profile, ProfileFile
from pipeline.profiling.replay import Subject
from pipeline.targets import Target

# What is being done, and which share of all is over.
Report = Callable[[str, float], None]


def profile_all(
    recipes: Sequence[Recipe],
    threads: Sequence[int],
    seconds: float,
    report: Report,
    place: Place | None = None,
) -> ProfileFile:
    """Profile every recipe, whose `model` may also be the folder of a bundle, here or at a place.

    RequestError if that cannot run code for a target, before anything is compiled.
    """
    targets = [_target(recipe, place) for recipe in recipes]
    found: list[Profile | EmulatedProfile | GpuProfile] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shufflenet-tvm-")))
        for number, (recipe, target) in enumerate(zip(recipes, targets, strict=True)):

            def say(text: str, done: int = number) -> None:
                report(text, done / len(recipes))

            bundle, model = prepared(recipe, folder / str(number), say)
            if target is None:
                found.append(profile_on_gpu(bundle, model, seconds, say))
                continue
            subject = Subject(bundle, model, target)
            found += [profile(subject, count, seconds, say, place) for count in threads]
    profiles = [one for one in found if isinstance(one, Profile)]
    # The ceilings of a device are in its profiles.
    peaks: dict[int, float] = {}
    for one in profiles if place is None else []:
        peaks[one.threads] = max(peaks.get(one.threads, 0.0), one.peak_gmacs)
    environment = describe_environment({"weights": recipes[0].seed}, peaks, {})
    emulated = [one for one in found if isinstance(one, EmulatedProfile)]
    gpu = [one for one in found if isinstance(one, GpuProfile)]
    return ProfileFile(environment=environment, profiles=profiles, emulated=emulated, gpu=gpu)


def _target(recipe: Recipe, place: Place | None) -> Target | None:
    """The CPU that the kernels run on; None if they run on the GPU of this machine."""
    if place is None:
        check_recipe(recipe, "profile")
        if is_for_gpu(recipe):
            cuda_runtime()
            return None
        return recipe.resolved()
    target = target_for(recipe)
    examine(place.address, target)
    return target
