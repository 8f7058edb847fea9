"""The clock that a bound is told for, where none is asked for."""

import psutil

from pipeline.errors import RequestError
from pipeline.targets import Target

# GHz, of a device that many have.
CLOCKS = {
    "cortex-a53": 1.4,  # Raspberry Pi 3B+
    "cortex-a55": 1.8,  # Snapdragon 855
    "cortex-a57": 1.43,  # Jetson Nano
    "cortex-a72": 1.8,  # Raspberry Pi 4
    "cortex-a73": 2.36,  # Kirin 960
    "cortex-a75": 2.8,  # Snapdragon 845
    "cortex-a76": 2.4,  # Raspberry Pi 5
    "cortex-a78": 2.42,  # Snapdragon 888
    "cortex-x1": 2.84,  # Snapdragon 888
    "kryo": 2.15,  # Snapdragon 820
    "neoverse-n1": 2.5,  # Graviton2
    "neoverse-v1": 2.6,  # Graviton3
    "apple-m1": 3.2,  # M1
    "armv7a": 0.9,  # Raspberry Pi 2
}


def clock_of(target: Target, asked: float | None) -> float:
    """GHz; RequestError where this machine does not tell its own."""
    if asked is not None:
        return asked
    if target.name in CLOCKS:
        return CLOCKS[target.name]
    found = psutil.cpu_freq()
    megahertz = (found.max or found.current) if found else 0
    if not megahertz:
        raise RequestError("this machine does not tell its clock; give it with --ghz")
    return float(megahertz) / 1e3
