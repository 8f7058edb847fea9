"""Candidates built and measured a minute, on a quiet machine: python -m tests.tuning.study_rate.

The pointwise operators of ShuffleNet 1.0x g=3, by this project's loop as `tune` runs it and by
MetaSchedule's on the same unscheduled programs, in two ways:

    own         as its user has it: its own design space for a CPU with the schedule rules,
                postprocessors and mutators that it has by default, evolutionary search, and the
                cost model of boosted trees
    replay      its cheapest search, which draws at random and learns nothing, in our schedules
                with sampled tiles: what the loop alone costs

Either gets a build function that imports nothing it does not need, in place of its default that
builds nothing within its deadline here; a builder for each core; and as many timings of a candidate
as we take of one that is not far above the best, which are a fifth of the seconds that it takes by
default. It checks no output. All count candidates with a time, from the first line of the loop to
the last; importing TVM and making the networks is in none.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import tvm
from tvm import IRModule, s_tir
from tvm.s_tir import meta_schedule as ms

from pipeline.build import lower
from pipeline.models import InputSpec, load
from pipeline.records import canonical
from pipeline.targets import Target, host
from pipeline.tasks import Task, tasks_of
from pipeline.tile_fields import TileFields
from pipeline.tune.bench import Equipment, equipped
from pipeline.tune.budget import Budget
from pipeline.tune.conditions import conditions
from pipeline.tune.cpu_kind import CpuKind
from pipeline.tune.journal import Journal
from pipeline.tune.run_task import REPEAT_MS, REPEATS
from pipeline.tune.session import Session
from pipeline.tune.stage_space import StageSpace
from schedules.cpu.kernel_function import schedule_stage
from schedules.cpu.operators import operator

MODEL = "shufflenet-1.0x-g3"
TRIALS = 16
SEED = 7
# Search strategies of MetaSchedule with a cost model each.
MODES = {"own": ("evolutionary", "xgb"), "replay": ("replay-trace", "random")}


def ours(tasks: list[Task], target: Target, trials: int) -> tuple[int, float]:
    """Candidates with a time, and the seconds that they took, finals and all."""
    with tempfile.TemporaryDirectory() as folder:
        logs, work = Path(folder) / "logs", Path(folder) / "work"
        work.mkdir()
        begun = time.monotonic()
        with (
            Journal(logs, target.family, conditions(target)) as journal,
            equipped(CpuKind(target), ("local",), work, Equipment()) as bench,
        ):
            told: list[Any] = []
            budget = Budget(trials)
            session = Session(CpuKind(target), logs, journal, bench, budget, SEED, told.append)
            tally = session.run(tasks, "study").tally
        print(tally, flush=True)
        return tally.measured - tally.failed, time.monotonic() - begun


def theirs(tasks: list[Task], target: Target, trials: int, mode: str) -> tuple[int, float]:
    """The same of MetaSchedule."""
    strategy, model = MODES[mode]
    contexts = [context(task, target, strategy, mode == "own") for task in tasks]
    evaluator = ms.runner.EvaluatorConfig(number=1, repeat=REPEATS, min_repeat_ms=REPEAT_MS)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        database = ms.tune.tune_tasks(
            tasks=contexts,
            task_weights=[1.0] * len(contexts),
            work_dir=folder,
            max_trials_global=trials * len(contexts),
            max_trials_per_task=trials,
            num_trials_per_iter=trials,
            builder=ms.builder.LocalBuilder(f_build=lean_build),
            runner=ms.runner.LocalRunner(evaluator_config=evaluator),
            database=ms.database.MemoryDatabase(),
            cost_model=model,
            task_scheduler="round-robin",
        )
        seconds = time.monotonic() - begun
    records = database.get_all_tuning_records()
    timed = [one for one in records if one.run_secs and float(one.run_secs[0]) < 1e9]
    return len(timed), seconds


def context(task: Task, target: Target, strategy: str, own: bool) -> Any:
    """The unscheduled program of an operator, in MetaSchedule's own space or that of our tiles."""
    space = StageSpace(task.kernel, target.machine)
    cores = len(os.sched_getaffinity(0))

    def sketches(sch: s_tir.Schedule) -> list[s_tir.Schedule]:
        made = []
        kinds: dict[str, list[TileFields]] = {}
        for tile in space.tiles:
            kinds.setdefault(canonical({**tile, "columns": None}), []).append(tile)
        for alike in kinds.values():
            columns = [tile["columns"] for tile in alike]
            sketch = sch.copy()
            sampled = sketch.sample_categorical(columns, [1 / len(columns)] * len(columns))
            fields = {**alike[0], "strip_rows": space.strip_rows, "columns": sampled}
            schedule_stage(sketch, space.stage, operator(space.stage.work).Tile(**fields))
            made.append(sketch)
        return made

    return ms.TuneContext(
        mod=IRModule({"main": space.program}),
        target=tvm.target.Target({**target.tvm.export(), "num-cores": cores}),
        space_generator="post-order-apply"
        if own
        else ms.space_generator.ScheduleFn(sketches, [], [], {}),
        search_strategy=strategy,
        task_name=task.name,
        rand_state=SEED,
        num_threads=cores,
    )


def lean_build(mod: IRModule, target: Any, _: Any) -> Any:
    """What a build needs, without the intrinsics whose import takes half a minute."""
    options = {"s_tir.LoopPartition": {"partition_const_loop": True}}
    with tvm.transform.PassContext(opt_level=3, config=options):
        return tvm.compile(mod, target=target).mod


def main(trials: int, *modes: str) -> None:
    """Ours, theirs one after the other, and the ratios."""
    target = host()
    lowered = lower(load(MODEL, InputSpec(224, 224)), target)
    tasks = [
        task
        for task in tasks_of(lowered)
        if task.kind == "stage" and task.workload["operator"] == "Pointwise"
    ]
    count, seconds = ours(tasks, target, trials)
    ourselves = 60 * count / seconds
    print(f"ours: {count} candidates in {seconds:.1f} s, {ourselves:.0f} a minute", flush=True)
    for mode in modes or MODES:
        count, seconds = theirs(tasks, target, trials, mode)
        rate = 60 * count / seconds
        print(f"MetaSchedule, {mode}: {count} candidates in {seconds:.1f} s,", end=" ")
        print(f"{rate:.0f} a minute; ours : it = {ourselves / max(rate, 1e-9):.2f}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2] or [TRIALS]), *sys.argv[2:])
