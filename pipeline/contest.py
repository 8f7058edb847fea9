"""One bundle against the peers and against the ceiling of the machine, as results."""

import dataclasses
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.check import Agreement, Array, compare, require_agreement
from pipeline.engines.registry import LOOPS, OURS, OURS_CUDA, EngineKind, Reads
from pipeline.errors import WorkFailedError
from pipeline.measure import Failure, Participant, measure
from pipeline.metaschedule import tuned_source
from pipeline.peers import PeerError, export_onnx, peer_python
from pipeline.results import Absence, LoadGenNote, LoadNote, Result
from pipeline.runner import Measurement, Plan
from pipeline.significance import estimate
from pipeline.steadiness import Ceiling, judge, latency
from pipeline.subject import Subject
from pipeline.yardsticks import ceiling_of, yardsticks

# Candidates that a peer may try where it tunes: some 18 for each task of a ShuffleNet.
TRIALS = 640

Mode = Literal["standard", "quick", "record"]


@dataclass(frozen=True)
class Conditions:
    """How to measure: against whom, with how many threads, how long.

    `beside` are engines that are had already, with what they load.
    """

    peers: Sequence[EngineKind]
    threads: int
    peers_folder: Path
    plan: Plan = Plan()  # noqa: RUF009 - frozen
    mode: Mode = "standard"
    progress: Callable[[str], None] = lambda _: None
    peer_trials: int = TRIALS
    beside: Sequence[Participant] = ()


@dataclass(frozen=True)
class Contest:
    """The results of one subject with one number of threads; the ceiling is that of its rounds."""

    results: list[Result]
    absent: list[Absence]
    peak_gmacs: float


def contest(subject: Subject, conditions: Conditions) -> Contest:
    """Measure and check; WorkFailedError if our own engine fails or is wrong.

    A peer that cannot be had, fails, or is wrong becomes an Absence with the reason.
    """
    images, threads = subject.images(), conditions.threads
    with tempfile.TemporaryDirectory(prefix="shufflenet-tvm-") as folder:
        own = [ours(subject), *yardsticks(subject, threads, Path(folder))]
        peers, failures = _peers(subject, conditions, Path(folder))
        measured, failed = measure(
            [*peers, *conditions.beside, *own],
            images,
            threads,
            conditions.plan,
            conditions.progress,
        )
    failures += failed
    by_name = {measurement.engine: measurement for measurement in measured}
    _require_own(failures)
    ceiling = ceiling_of(subject, threads, by_name)
    engines = [one for name, one in by_name.items() if name not in LOOPS]
    results, wrong = judged(subject, engines, images, Judging(ceiling, conditions))
    absent = [
        Absence(
            model=subject.model.name,
            input_size=subject.model.input_size,
            **dataclasses.asdict(failure),
        )
        for failure in failures + wrong
    ]
    return Contest(results, absent, ceiling.gmacs)


def ours(subject: Subject) -> Participant:
    """What runs the bundle of a subject."""
    kind = OURS if subject.gpu is None else OURS_CUDA
    return Participant(kind, {"bundle": str(subject.bundle.resolve())})


def _peers(
    subject: Subject, conditions: Conditions, folder: Path
) -> tuple[list[Participant], list[Failure]]:
    """The peers that can be had, with what they read, and the others with the reason."""
    participants, failures = [], []
    sources: dict[Reads, dict[str, Any]] = {Reads.MODEL: subject.model_source}
    for kind in conditions.peers:
        conditions.progress(f"preparing {kind.name}")
        try:
            if kind.on_gpu != (subject.gpu is not None):
                raise PeerError(f"it runs on {'a GPU' if kind.on_gpu else 'a CPU'}")
            python = peer_python(kind, conditions.peers_folder)
            if kind.reads not in sources:
                sources[kind.reads] = _source(kind.reads, subject, conditions, folder)
            participants.append(Participant(kind, sources[kind.reads], python))
        except PeerError as error:
            failures.append(Failure(kind.name, conditions.threads, str(error)))
    return participants, failures


def _source(reads: Reads, subject: Subject, conditions: Conditions, folder: Path) -> dict[str, Any]:
    """What a peer loads that does not read the model by its name; PeerError if it cannot be had."""
    cache = conditions.peers_folder
    if reads is Reads.TUNED:
        trials = conditions.peer_trials
        return tuned_source(subject.model_source, cache, trials, conditions.progress)
    onnx = folder / "model.onnx"
    export_onnx(subject.model_source, cache, onnx)
    return {"onnx": str(onnx)}


def _require_own(failures: Sequence[Failure]) -> None:
    for failure in failures:
        if failure.engine in (OURS.name, *LOOPS):
            raise WorkFailedError(failure.reason)


@dataclass(frozen=True)
class Judging:
    """What samples are judged by."""

    ceiling: Ceiling
    conditions: Conditions


def judged(
    subject: Subject, measured: Sequence[Measurement], images: Sequence[Array], judging: Judging
) -> tuple[list[Result], list[Failure]]:
    """Results, and the failures of engines that are wrong; WorkFailedError if ours is."""
    references = subject.reference(images)
    results, wrong = [], []
    for measurement in measured:
        processes = len(measurement.outputs) // len(references)
        agreement = compare(measurement.outputs, [*references] * processes)
        try:
            require_agreement(agreement, measurement.engine, _dtype(subject, measurement))
        except WorkFailedError as error:
            if measurement.engine == OURS.name:
                raise
            wrong.append(Failure(measurement.engine, measurement.threads, str(error)))
            continue
        results.append(_result(subject, measurement, agreement, judging))
    return results, wrong


def _result(
    subject: Subject, measurement: Measurement, agreement: Agreement, judging: Judging
) -> Result:
    milliseconds = _milliseconds(measurement)
    percentiles = latency(milliseconds)
    gmacs = subject.model.macs * subject.model.batch / 1e6 / percentiles.p50
    known = estimate(measurement.rounds).half_width()
    plan, load = judging.conditions.plan, measurement.load
    ceiling = judging.ceiling
    verdict, advice = judge(measurement.rounds, plan, ceiling.rounds, load, ceiling.handover_ns)
    own = measurement.engine == OURS.name
    return Result(
        model=subject.model.name,
        engine=measurement.engine,
        target=subject.target_name,
        device=subject.device,
        threads=measurement.threads,
        batch=subject.model.batch,
        input_size=subject.model.input_size,
        dtype=_dtype(subject, measurement),
        macs=subject.model.macs,
        parameters=subject.model.parameters,
        library_bytes=(subject.bundle / "model.so").stat().st_size if own else None,
        peak_activation_bytes=subject.peak_activation_bytes if own else None,
        latency_ms=percentiles,
        samples_ms=milliseconds,
        rounds=[len(samples) for samples in measurement.rounds],
        ceiling_gmacs=ceiling.gmacs_by_round,
        handover_ns=list(ceiling.handover_ns),
        cores_used=measurement.cores_used,
        gmacs_per_second=gmacs,
        fraction_of_peak=gmacs / ceiling.gmacs,
        schedule_sources=subject.schedule_sources if own else None,
        settings=measurement.settings,
        mode=judging.conditions.mode,
        load=LoadNote(others=load.others, stolen=load.stolen, frequency_mhz=load.megahertz)
        if load
        else None,
        loadgen=_loadgen(measurement.loadgen),
        median_half_width=known if math.isfinite(known) else None,
        max_relative_error=agreement.max_relative_error,
        top1_agreement=agreement.top1_agreement,
        verdict=verdict,
        advice=advice,
    )


def _dtype(subject: Subject, measurement: Measurement) -> str:
    """The arithmetic of an engine: the peers all compute in float32."""
    return subject.dtype if measurement.engine == OURS.name else "float32"


def _loadgen(found: dict[str, Any] | None) -> LoadGenNote | None:
    if found is None:
        return None
    return LoadGenNote(
        valid=found["valid"],
        queries=found["queries"],
        p50_ms=found["p50_ns"] / 1e6,
        p90_ms=found["p90_ns"] / 1e6,
    )


def _milliseconds(measurement: Measurement) -> list[float]:
    return [sample * 1e3 for sample in measurement.samples]
