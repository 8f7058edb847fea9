"""The file of a profile: every kernel call of an inference, and what it is held against."""

from math import inf
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from pipeline.errors import RequestError
from pipeline.profiling.gpu_records import GpuProfile
from pipeline.profiling.timed_call import TimedCall
from pipeline.results import Environment, Record


class Call(TimedCall):
    """One kernel call on a CPU. `multiplies` are the multiply-adds that its `macs` take, which are
    fewer where some serve several sums. `register_bytes` are those of its loads and stores;
    `far_bytes` are expected to come from beyond the cores' own caches, `dram_bytes` of these from
    DRAM."""

    multiplies: int
    register_bytes: int
    far_bytes: int
    dram_bytes: int


class EnergyNote(Record):
    """Estimated microjoules of an inference."""

    cache_uj: float
    dram_uj: float
    arithmetic_uj: float


class Profile(Record):
    """One model with one number of threads. `whole_ms` is p50 of undivided inferences.

    `peak_gmacs` is what a loop of multiply-adds reaches, `bandwidth` what loops that only read
    reach, in GB/s, by where from: the cores' own "cache", the "last cache" where there is a larger
    one behind it, or "DRAM". What activations take at most is known of networks that ran on this
    machine.
    """

    model: str
    target: str
    device: str
    threads: int
    batch: int
    input_size: tuple[int, int]
    parameters: int
    library_bytes: int
    peak_activation_bytes: int | None
    cache_bytes: int
    whole_ms: float
    peak_gmacs: float
    bandwidth: dict[str, float]
    energy: EnergyNote
    calls: list[Call]

    @property
    def title(self) -> str:
        """The network, and with what."""
        return f"{self.model}, {self.threads} threads"

    @property
    def setting(self) -> tuple[object, ...]:
        """What two profiles must share to be of the same thing."""
        return self.model, self.target, self.device, self.threads, self.batch, self.input_size

    @property
    def kernels_ms(self) -> float:
        """The sum over all calls."""
        return sum(call.ms for call in self.calls)

    def roof_ms(self, call: Call) -> float:
        """What the machine's roofs allow a call at the least: what it multiplies at the peak, or
        its bytes from each memory at the rate of that memory, whichever takes longest.

        The bytes are those of caches that forget what was least recently used.
        """
        far = call.far_bytes / self.bandwidth.get("last cache", inf)
        dram = call.dram_bytes / self.bandwidth["DRAM"]
        return max(call.multiplies / self.peak_gmacs, far, dram) / 1e6

    @property
    def roofs_ms(self) -> float:
        """The sum over all calls."""
        return sum(map(self.roof_ms, self.calls))

    @property
    def arithmetic_ms(self) -> float:
        """All multiply-adds at their peak."""
        return sum(call.macs for call in self.calls) / self.peak_gmacs / 1e6

    @property
    def gap(self) -> float:
        """By what share the kernels add up to more than the whole."""
        return self.kernels_ms / self.whole_ms - 1


class EmulatedProfile(Record):
    """A network on an emulated device, whose clock was looked at between `calls` kernel calls: its
    output is the network's own, and its times would say nothing of any device."""

    model: str
    target: str
    device: str
    threads: int
    batch: int
    input_size: tuple[int, int]
    calls: int


class ProfileFile(Record):
    """All of one run of `profile`, as `--json` writes it."""

    kind: Literal["shufflenet-tvm profile"] = "shufflenet-tvm profile"
    schema_version: Literal[2] = Field(default=2, alias="schema")
    environment: Environment
    profiles: list[Profile]
    emulated: list[EmulatedProfile] = Field(default_factory=list)
    gpu: list[GpuProfile] = Field(default_factory=list)


def read_profiles(path: Path) -> ProfileFile:
    """The content of a profile; RequestError names the first thing that is wrong with it."""
    way_out = f"make one with: shufflenet-tvm profile MODEL --json {path}"
    try:
        return ProfileFile.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"cannot read a profile from {path} ({error}); {way_out}") from error
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"]) or "the file"
        raise RequestError(f"{path} is no profile: {place}: {fault['msg']}; {way_out}") from error
