"""What a network moves and holds, and the energy that this may take, as a table."""

from collections.abc import Sequence

from pipeline.profiling.records import Profile
from pipeline.rows import Rows

MEMORY_HEADINGS = (
    "model",
    "M parameters",
    "library MB",
    "activations MB",
    "kernel edges MB",
    "cache to registers MB",
    "from DRAM MB",
    "arithmetic mJ",
    "cache mJ",
    "DRAM mJ",
    "estimate mJ",
)
MOVED = ("edge_bytes", "register_bytes", "dram_bytes")


def memory_rows(profiles: Sequence[Profile]) -> Rows:
    """Bytes and estimated energy of each model, once whatever the threads."""
    models = {one.model: one for one in reversed(profiles)}
    cells = [_memory_cells(one) for one in reversed(models.values())]
    return Rows("Memory and energy", MEMORY_HEADINGS, cells)


def _memory_cells(one: Profile) -> tuple[str, ...]:
    energy = one.energy
    parts = (energy.arithmetic_uj, energy.cache_uj, energy.dram_uj)
    moved = [sum(getattr(call, name) for call in one.calls) for name in MOVED]
    sizes = (one.library_bytes, one.peak_activation_bytes, *moved)
    return (
        one.model,
        f"{one.parameters / 1e6:.2f}",
        *(f"{size / 1e6:.1f}" for size in sizes),
        *(f"{part / 1e3:.2f}" for part in (*parts, sum(parts))),
    )
