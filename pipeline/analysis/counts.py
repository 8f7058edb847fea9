"""Counting the instructions of a loop by what they do."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.analysis.assembly import Instruction
from pipeline.analysis.dialects import Dialect


@dataclass(frozen=True)
class Counts:
    """Instructions of one turn of a loop.

    `multiplies` are vector multiply-adds, and `macs` the multiply-adds of values that they and
    `scalar_macs` make. `spills` of the loads and stores, and of operands in memory, are of the
    stack, `vector_spills` those of vectors, not of addresses. `stored` are the bytes that go
    elsewhere.
    """

    instructions: int
    multiplies: int
    macs: int
    scalar_macs: int
    loads: int
    stores: int
    spills: int
    vector_spills: int
    stored: int

    @property
    def others(self) -> int:
        """Instructions that are none of these."""
        return self.instructions - self.multiplies - self.loads - self.stores


def count(instructions: Sequence[Instruction], dialect: Dialect) -> Counts:
    """The counts of a run of instructions."""
    macs = [dialect.macs(one) for one in instructions]
    return Counts(
        instructions=len(instructions),
        multiplies=sum(lanes > 1 for lanes in macs),
        macs=sum(macs),
        scalar_macs=sum(lanes for lanes in macs if lanes == 1),
        loads=sum(dialect.is_load(one) for one in instructions),
        stores=sum(dialect.is_store(one) for one in instructions),
        spills=sum(dialect.on_stack(one) for one in instructions),
        vector_spills=sum(dialect.on_stack(one) and dialect.is_vector(one) for one in instructions),
        stored=sum(dialect.stored_bytes(one) for one in instructions),
    )
