"""What a device is, as far as its system files tell: its cores, their clock, how hot it is.

They are read with the file transfer of the RPC server. Where a phone keeps a file to itself, the
fact is unknown, and not guessed.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from pipeline.devices.session import Session
from pipeline.targets.arm import core_of

CPUS = PurePosixPath("/sys/devices/system/cpu")
THERMAL = PurePosixPath("/sys/class/thermal")
MOST_CORES = 64
ZONES = 12
# The part number by which QEMU's `max` CPU calls itself; it has no implementer.
QEMU = (0, 0x051)


@dataclass(frozen=True)
class Facts:
    """`cores` are names, or MIDR numbers of cores without one here, in the order of the cores;
    frequencies in kHz, temperature in degrees; None for what the device does not tell."""

    cores: tuple[str, ...]
    emulated: bool | None
    frequencies_khz: tuple[int, ...] | None
    temperature_c: float | None

    @property
    def description(self) -> str:
        """In a few words."""
        kinds = dict.fromkeys(self.cores)
        counted = [f"{self.cores.count(kind)} x {kind}" for kind in kinds]
        text = ", ".join(counted) or "unknown cores"
        return f"{text}, emulated" if self.emulated else text


def read_facts(session: Session, architecture: str) -> Facts:
    """What the device tells now."""
    numbers = _core_numbers(session)
    midrs = [_midr(session, number) for number in numbers]
    known = [midr for midr in midrs if midr is not None]
    clocks = [_number(session, CPUS / f"cpu{n}/cpufreq/scaling_cur_freq") for n in numbers]
    return Facts(
        cores=tuple(_name(*midr) for midr in known),
        emulated=_emulated(session, architecture, known),
        frequencies_khz=tuple(clock for clock in clocks if clock) or None,
        temperature_c=_temperature(session),
    )


def _core_numbers(session: Session) -> list[int]:
    """From 0-3 or 0,2-5."""
    text = _text(session, CPUS / "online") or ""
    spans = re.findall(r"(\d+)(?:-(\d+))?", text)
    numbers = [n for first, last in spans for n in range(int(first), int(last or first) + 1)]
    return numbers[:MOST_CORES]


def _midr(session: Session, number: int) -> tuple[int, int] | None:
    """Implementer and part of a core."""
    text = _text(session, CPUS / f"cpu{number}/regs/identification/midr_el1")
    if text is None:
        return None
    value = int(text, 16)
    return value >> 24 & 0xFF, value >> 4 & 0xFFF


def _name(implementer: int, part: int) -> str:
    core = core_of(implementer, part)
    return core.name if core else f"{implementer:#x}/{part:#x}"


def _emulated(session: Session, architecture: str, midrs: list[tuple[int, int]]) -> bool | None:
    """Whether the operating system runs on another architecture than the program is told."""
    if midrs:
        return QEMU in midrs
    alias = _text(session, CPUS / "modalias") or ""
    found = re.search(r"type:(\w+)", alias)
    if found is None:
        return None
    arm = {"aarch64", "arm", "armv7a"}
    return (found[1] in arm) != (architecture in arm)


def _temperature(session: Session) -> float | None:
    """The hottest zone; the files count thousandths of a degree."""
    zones = (_number(session, THERMAL / f"thermal_zone{n}/temp") for n in range(ZONES))
    found = [value / 1000 for value in zones if value]
    return max(found) if found else None


def _number(session: Session, path: PurePosixPath) -> int | None:
    text = _text(session, path)
    return int(text) if text and re.fullmatch(r"-?\d+", text) else None


def _text(session: Session, path: PurePosixPath) -> str | None:
    """The content of a small file on the device; None if there is none that can be read."""
    try:
        content = bytes(session.remote.download(str(path)))
    except (RuntimeError, OSError):
        return None
    return content.rstrip(b"\0").decode(errors="replace").strip()
