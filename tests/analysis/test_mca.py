"""What is asked of llvm-mca is what the core can do."""

from dataclasses import replace

import pytest

from pipeline.analysis.assembly import Instruction
from pipeline.analysis.mca import cycles_of, find_mca
from pipeline.targets import target_named

SUMS = 20


@pytest.mark.skipif(find_mca() is None, reason="llvm-mca 19 or later is not installed")
@pytest.mark.parametrize("cpu", ["icelake-server", "sapphirerapids", "emeraldrapids"])
def test_two_multiply_adds_of_512_bits_a_cycle(cpu: str) -> None:
    target = replace(target_named("x86-64-v4"), cpu=cpu)
    loop = [Instruction("vfmadd231ps", f"%zmm30, %zmm31, %zmm{at}") for at in range(SUMS)]
    program = find_mca()
    assert program is not None
    (cycles,) = cycles_of(program, target, [loop], [True])
    assert SUMS / 2 <= cycles <= 1.1 * SUMS / 2
