"""The result file: what was measured, on what, and how far to trust it.

Times are stored as samples in the order taken, so that every figure in a table can be computed
again from the file. Ratios between results belong to the report and are not stored.
"""

from enum import StrEnum
from itertools import accumulate
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    """Unknown fields are an error: a misspelt one would be lost without a word."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, serialize_by_alias=True, validate_by_name=True
    )


class Verdict(StrEnum):
    """Whether the samples are steady enough to compare."""

    VALID = "VALID"
    UNSTABLE = "UNSTABLE"
    THROTTLED = "THROTTLED"


class Environment(Record):
    """The machine and the conditions of a run; `fma_peak_gmacs` is by number of threads."""

    cpu: str
    cores: int
    machine: str
    os: str
    python: str
    versions: dict[str, str]
    load_average: float
    frequency_mhz: float | None
    date: str
    seeds: dict[str, int]
    fma_peak_gmacs: dict[int, float]


class Latency(Record):
    """Percentiles of one result, in milliseconds."""

    n: int
    min: float
    p50: float
    p90: float
    p99: float


class Sources(Record):
    """How many functions of a bundle got their schedule from where."""

    tuned: int
    hand: int
    default: int


class LoadNote(Record):
    """What else went on: cores that worked for others or were kept by the host, slowest clock."""

    others: float
    stolen: float
    frequency_mhz: float | None


class DeviceState(Record):
    """A device over RPC at one moment: its cores, the clock of each, its hottest part; None for
    what it does not tell."""

    cpu: str
    frequencies_mhz: list[float] | None
    temperature_c: float | None


class LoadGenNote(Record):
    """What MLPerf's load generator found in its single-stream scenario.

    `p90_ms` is its estimate after early stopping, by which MLPerf ranks systems.
    """

    valid: bool
    queries: int
    p50_ms: float
    p90_ms: float


class Result(Record):
    """One model on one engine with one number of threads.

    `rounds` says how many of `samples_ms` each round took, `ceiling_gmacs` what bare multiply-adds
    reached in each, which follows the clock, and `handover_ns` how long cores waited for each
    other, which says how far apart they are. `turns_ms` are other samples, by round, of a network
    of ours in turns with those that it is compared with. `cores_used` is CPU time over wall time
    while the samples were taken. `median_half_width` is half the 99 % confidence interval of p50,
    as a share of it. `before` and `after` are the states of a device over RPC.
    """

    model: str
    engine: str
    target: str
    device: str
    threads: int
    batch: int
    input_size: tuple[int, int]
    dtype: str
    macs: int
    parameters: int
    library_bytes: int | None = None
    peak_activation_bytes: int | None = None
    latency_ms: Latency
    samples_ms: list[float]
    rounds: list[int]
    turns_ms: list[list[float]] = []
    ceiling_gmacs: list[float] = []
    handover_ns: list[float] = []
    cores_used: float | None = None
    gmacs_per_second: float
    fraction_of_peak: float | None = None
    max_relative_error: float
    top1_agreement: float
    schedule_sources: Sources | None = None
    settings: dict[str, str] = {}
    mode: Literal["standard", "quick", "record"] = "standard"
    load: LoadNote | None = None
    before: DeviceState | None = None
    after: DeviceState | None = None
    loadgen: LoadGenNote | None = None
    median_half_width: float | None = None
    verdict: Verdict
    advice: str = ""

    @property
    def images_per_second(self) -> float:
        """Images of a batch over the median latency."""
        return self.batch / (self.latency_ms.p50 / 1e3)

    @property
    def setting(self) -> tuple[object, ...]:
        """What two results must share to be of the same thing."""
        return (self.engine, *self.contest)

    @property
    def contest(self) -> tuple[object, ...]:
        """What two engines must share, the model first, to be compared."""
        place = (self.target, self.device, self.threads)
        return (self.model, *place, self.batch, self.input_size, self.dtype)

    @property
    def samples_by_round(self) -> list[list[float]]:
        """The samples as they were taken, in milliseconds."""
        ends = list(accumulate(self.rounds))
        return [
            self.samples_ms[end - count : end] for end, count in zip(ends, self.rounds, strict=True)
        ]


class Absence(Record):
    """An engine that was asked for and could not be measured, with the reason in one line."""

    model: str
    engine: str
    threads: int
    reason: str
    input_size: tuple[int, int] | None = None


class Emulated(Record):
    """A network on an emulated device: its outputs compared with PyTorch's, and no times, which
    would say nothing of any device."""

    model: str
    target: str
    device: str
    threads: int
    batch: int
    input_size: tuple[int, int]
    dtype: str
    images: int
    max_relative_error: float
    top1_agreement: float
    schedule_sources: Sources | None = None
    settings: dict[str, str] = {}


class Complexity(Record):
    """A network of 224x224 images: its multiply-adds and parameters as they are counted here."""

    model: str
    macs: int
    parameters: int


class ResultFile(Record):
    """All of one run, as `--json` writes it; `complexity` is that of a suite's networks."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    environment: Environment
    results: list[Result]
    absent: list[Absence] = []
    complexity: list[Complexity] = []
    emulated: list[Emulated] = []
