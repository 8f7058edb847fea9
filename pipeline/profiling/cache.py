"""The last cache before DRAM."""

from pathlib import Path

from schedules.machine import Machine

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
UNITS = {"K": 1 << 10, "M": 1 << 20}


def last_cache_bytes(machine: Machine) -> int:
    """As Linux tells it of this machine; else the second-level cache of the machine record."""
    sizes = [(path / "size").read_text().strip() for path in CACHES.glob("index*")]
    known = [int(size[:-1]) * UNITS[size[-1]] for size in sizes if size[-1:] in UNITS]
    return max([machine.l2_bytes, *known])
