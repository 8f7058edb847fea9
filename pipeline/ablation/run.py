"""Ablations of models: the program and those that lack a step, all in turns."""

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.ablation.records import Ablation, AblationFile, Without
from pipeline.ablation.steps import STEPS, Program, Step, Whole, whole_program
from pipeline.bench import check_recipe, subject_of
from pipeline.build import read_network
from pipeline.bundle import Bundle
from pipeline.compile import Recipe
from pipeline.contest import Conditions, Contest, contest
from pipeline.engines.registry import OURS, EngineKind, Reads
from pipeline.environment import describe_environment
from pipeline.errors import RequestError
from pipeline.export import export
from pipeline.measure import Participant
from pipeline.models import load
from pipeline.provenance import describe_weights
from pipeline.records import read_records
from pipeline.results import Result
from pipeline.targets import target_named

# What is being done, and which share of all is over.
Report = Callable[[str, float], None]
NOT_TUNED = "no kernel has a tuning record here, so that there is nothing to leave out"


@dataclass(frozen=True)
class _Program:
    """A program without a step, or the whole one where `step` is None."""

    step: Step | None
    bundle: Bundle
    regions: int


def ablate_all(
    recipes: Sequence[Recipe],
    threads: Sequence[int],
    conditions: Conditions,
    report: Report,
    steps: Sequence[Step] = STEPS,
) -> AblationFile:
    """The ablation of every recipe with each number of threads."""
    for recipe in recipes:
        check_recipe(recipe)
    ablations, peaks = [], dict.fromkeys(threads, 0.0)
    for number, recipe in enumerate(recipes):

        def say(text: str, done: int = number) -> None:
            report(text, done / len(recipes))

        for one, peak in _ablations(recipe, threads, conditions, say, steps):
            ablations.append(one)
            peaks[one.whole.threads] = max(peaks[one.whole.threads], peak)
    environment = describe_environment({"weights": recipes[0].seed}, peaks, {})
    return AblationFile(environment=environment, ablations=ablations)


def steps_named(names: Sequence[str]) -> tuple[Step, ...]:
    """The steps of these names, all for none; RequestError lists the known ones."""
    known = {step.name: step for step in STEPS}
    for name in names:
        if name not in known:
            raise RequestError(f"unknown step {name!r}; known: {', '.join(known)}")
    return tuple(known[name] for name in names) or STEPS


def _ablations(
    recipe: Recipe,
    threads: Sequence[int],
    conditions: Conditions,
    say: Callable[[str], None],
    steps: Sequence[Step],
) -> list[tuple[Ablation, float]]:
    target = target_named(recipe.target)
    model = load(recipe.model, recipe.spec, recipe.weights, recipe.seed)
    whole = Whole(read_network(model), target, read_records(recipe.logs, target.family))
    weights = describe_weights(recipe.weights, recipe.seed)
    with tempfile.TemporaryDirectory(prefix="shufflenet-tvm-") as name:
        folder = Path(name)

        def made(step: Step | None, program: Program) -> _Program:
            place = folder / (step.name if step else "whole")
            bundle = export(program.built, model, target, place, weights)
            return _Program(step, bundle, program.loops)

        say(f"{recipe.model}: compiling the whole program")
        complete = whole_program(whole)
        programs = [made(None, complete)]
        tuned = complete.built.schedule_sources["tuned"]
        absent = {} if tuned else {step.what: NOT_TUNED for step in steps if step.tuning}
        for step in steps:
            if step.what not in absent:
                say(f"{recipe.model}: compiling without: {step.what}")
                programs.append(made(step, step.built(whole)))
        subject = subject_of(programs[0].bundle, model, target, recipe.weights)
        found = []
        for count in threads:
            here = dataclasses.replace(
                conditions, threads=count, beside=_participants(programs[1:]), progress=say
            )
            done = contest(subject, here)
            found.append((_ablation(programs, done, absent), done.peak_gmacs))
    return found


def _participants(programs: Sequence[_Program]) -> tuple[Participant, ...]:
    return tuple(
        Participant(
            EngineKind(one.step.name, OURS.worker, Reads.BUNDLE),
            {"bundle": str(one.bundle.folder.resolve())},
        )
        for one in programs
        if one.step
    )


def _ablation(programs: Sequence[_Program], done: Contest, absent: dict[str, str]) -> Ablation:
    results = {result.engine: result for result in done.results}
    failed = {one.engine: one.reason for one in done.absent}
    rows, lost = [], dict(absent)
    for one in programs[1:]:
        assert one.step
        if one.step.name not in results:
            lost[one.step.what] = failed[one.step.name]
            continue
        step = one.step
        rows.append(
            Without(
                step=step.name,
                what=step.what,
                without=step.without,
                regions=one.regions,
                result=_of_bundle(results[step.name], one.bundle),
            )
        )
    return Ablation(whole=results[OURS.name], regions=programs[0].regions, rows=rows, absent=lost)


def _of_bundle(result: Result, bundle: Bundle) -> Result:
    """The result with what its bundle says of itself."""
    manifest = bundle.manifest
    return result.model_copy(
        update={
            "library_bytes": manifest.library_bytes,
            "peak_activation_bytes": manifest.peak_activation_bytes,
            "schedule_sources": manifest.schedule_sources,
        }
    )
