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
    activations = one.peak_activation_bytes
    held = "" if activations is None else f"{activations / 1e6:.1f}"
    return (
        one.model,
        f"{one.parameters / 1e6:.2f}",
        f"{one.library_bytes / 1e6:.1f}",
        held,
        *(f"{size / 1e6:.1f}" for size in moved),
        *(f"{part / 1e3:.2f}" for part in (*parts, sum(parts))),
    )
