"""Profiles of models and bundles, each with each number of threads."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from pipeline.bench import check_recipe, prepared
from pipeline.compile import Recipe
from pipeline.environment import describe_environment
from pipeline.profiling.profile import Subject, profile
from pipeline.profiling.records import Profile, ProfileFile
from pipeline.targets import target_named

# What is being done, and which share of all is over.
Report = Callable[[str, float], None]


def profile_all(
    recipes: Sequence[Recipe], threads: Sequence[int], seconds: float, report: Report
) -> ProfileFile:
    """Profile every recipe, whose `model` may also be the folder of a bundle."""
    for recipe in recipes:
        check_recipe(recipe)
    profiles: list[Profile] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shufflenet-tvm-")))
        for number, recipe in enumerate(recipes):

            def say(text: str, done: int = number) -> None:
                report(text, done / len(recipes))

            bundle, model = prepared(recipe, folder / str(number), say)
            subject = Subject(bundle, model, target_named(recipe.target))
            profiles += [profile(subject, count, seconds, say) for count in threads]
    peaks = {count: 0.0 for count in threads}
    for one in profiles:
        peaks[one.threads] = max(peaks[one.threads], one.peak_gmacs)
    environment = describe_environment({"weights": recipes[0].seed}, peaks, {})
    return ProfileFile(environment=environment, profiles=profiles)
