"""Tuning for a GPU, on one that is emulated: from kernels to records, and to a build with them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.coverage import untuned_lines
from pipeline.gpu.build import build_gpu, kernels_of, schedule_network
from pipeline.gpu.calls import Call
from pipeline.gpu.device_source import FIRST_KERNEL
from pipeline.gpu.export import export_gpu
from pipeline.gpu.tile_fields import gpu_fields
from pipeline.models import Model
from pipeline.operators import Network
from pipeline.records import Record, Records, canonical, describe_work, read_records
from pipeline.targets import GpuTarget
from pipeline.tune import gpu_kind
from pipeline.tune.bench import Equipment
from pipeline.tune.budget import Budget
from pipeline.tune.entries import Trial
from pipeline.tune.gpu_kind import GpuKind, gpu_tasks
from pipeline.tune.gpu_subject import GpuSubject, compiled
from pipeline.tune.history import read_history
from pipeline.tune.journal import Journal
from pipeline.tune.run_task import key_of
from pipeline.tuning import Summary, tune_tasks
from tests.tuning.conftest import IMPATIENT, options
from tests.tuning.gpu.conftest import NAME, NVRTC

EMULATED = Equipment(
    "tests.tuning.gpu.emulated_builder", "tests.tuning.gpu.emulated_worker", IMPATIENT, builders=1
)
# What becomes of tiles with these faults.
SAYING = {
    "astray": "illegal memory access", "wrong": "wrong output: relative error",
    "refused": "no such kernel",
}  # fmt: skip


TWO = Budget(trials=2)


@dataclass(frozen=True)
class Run:
    """What a run left, in which some tiles had faults."""

    logs: Path
    summary: Summary
    faults: dict[tuple[str, str], str]


@pytest.fixture(scope="module")
def run(
    calls: list[Call], gpu: GpuTarget, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Run]:
    """All kernels of the network, tuned."""
    logs = tmp_path_factory.mktemp("logs")
    faults = {}
    for task in gpu_tasks([calls]):
        subject = GpuSubject(task.kernel, gpu, "nvrtc")
        space, key = subject.space(), key_of(task, subject)
        others = [canonical(tile) for tile in space.likely if tile != space.hand]
        faults |= {(key, tile): fault for tile, fault in zip(others, SAYING, strict=False)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu_kind, "gpu_name", lambda: NAME)
        patch.setenv("FAULTS", json.dumps({" ".join(at): one for at, one in faults.items()}))
        yield Run(logs, tuned(calls, gpu, logs, TWO), faults)


def tuned(calls: Sequence[Call], gpu: GpuTarget, logs: Path, budget: Budget) -> Summary:
    """Tune kernels on the emulated GPU."""
    wanted = options(budget=budget, equipment=EMULATED)
    return tune_tasks(gpu_tasks([calls]), GpuKind(gpu, NVRTC), logs, wanted)


def trials_of(run: Run, gpu: GpuTarget) -> list[Trial]:
    """What the journal knows, in order."""
    about = GpuKind(gpu, NVRTC).conditions("local")
    with Journal(run.logs, gpu.family, about, writing=False) as journal:
        return sorted(read_history(journal).trials, key=lambda one: one.candidate.number)


def test_hand_tiles_come_first_and_what_is_finished_is_not_repeated(
    run: Run, calls: list[Call], gpu: GpuTarget
) -> None:
    kernels, seen = kernels_of(calls, gpu), {}
    for trial in trials_of(run, gpu):
        seen.setdefault(trial.candidate.task, trial)
    hands = sorted(canonical(gpu_fields(kernel.tile)) for kernel in kernels)
    assert sorted(one.key for one in seen.values()) == hands
    assert {one.candidate.origin for one in seen.values()} == {"hand"}
    # The time that the first run took counts for a budget of time.
    for budget in (TWO, Budget(seconds=1)):
        again = tuned(calls, gpu, run.logs, budget)
        assert (again.tally.measured, again.tuned) == (0, run.summary.tuned)
    assert run.summary.tasks == len(kernels)


def test_a_build_for_a_gpu_uses_what_was_tuned(
    run: Run, tiny: Model, calls: list[Call], gpu: GpuTarget, tmp_path: Path
) -> None:
    records = read_records(run.logs, gpu.family)
    built = build_gpu(tiny, gpu, NVRTC, records=records)
    manifest = export_gpu(built, tiny, gpu, tmp_path / "bundle").manifest
    assert untuned_lines(manifest.kernels) == []
    kernels, hands = built.scheduled.kernels, kernels_of(calls, gpu)
    assert [one.tile for one in kernels] != [one.tile for one in hands]
    for entry, kernel in zip(manifest.kernels, kernels, strict=True):
        record = records.of(kernel.work)
        assert record is not None
        assert record.cpu == NAME
        assert entry.seconds == record.seconds <= (record.hand_seconds or 0)
        assert entry.stages == [{"operator": type(kernel.work).__name__, **record.tile}]


def test_a_kernel_that_is_wrong_or_goes_astray_is_a_failure_and_no_other_is(
    run: Run, gpu: GpuTarget
) -> None:
    trials = {(one.candidate.task, one.key): one for one in trials_of(run, gpu)}
    faulty = {at: SAYING[run.faults[at]] for at in trials if at in run.faults}
    assert set(faulty.values()) == set(SAYING.values())
    for at, trial in trials.items():
        assert (trial.failure is not None) == (at in faulty)
        assert faulty.get(at, "") in (trial.failure or "")
    assert run.summary.tally.failed == len(faulty) < len(trials) / 2


@pytest.mark.parametrize("change", [{"threads": 31}, {"threads": "64"}, {"lanes": 4}], ids=str)
def test_a_record_that_does_not_fit_is_refused_in_a_line(
    calls: list[Call], gpu: GpuTarget, change: dict[str, Any]
) -> None:
    hand = kernels_of(calls, gpu)[0]
    tile = {**gpu_fields(hand.tile), **change}
    workload = describe_work(hand.work)
    record = Record(gpu.family, workload, tile, 1e-6, 2e-6, 1, 0, "0.27", NAME)
    kernel, *_ = kernels_of(calls, gpu, Records(gpu.family, {record.key: record}))
    assert kernel == replace(hand, refused=f"tile {tile} does not fit")


def test_a_candidate_is_the_kernel_that_a_build_makes(
    network: Network, calls: list[Call], gpu: GpuTarget, tmp_path: Path
) -> None:
    whole = schedule_network(network, gpu).source
    for kernel in kernels_of(calls, gpu):
        subject = GpuSubject(kernel.work, gpu, "nvrtc")
        function = subject.space().function(gpu_fields(kernel.tile))
        _, source = compiled(function, gpu)
        # Its declaration stands before it.
        own = source[source.rindex(FIRST_KERNEL) :].strip()
        assert own.replace("main_kernel", f"{kernel.name}_kernel") in whole
    path = tmp_path / "kernel.so"
    subject.export(function, path)
    assert b"main_kernel" in path.read_bytes()
