"""The machine code of a tile keeps its sums where they belong."""

from pipeline.compiling import compile_function
from pipeline.targets import host
from schedules.cpu.kernel import scheduled
from schedules.cpu.pointwise import Pointwise, Tile
from schedules.frame import Frame
from tests.schedules.layers import alone


def test_sums_are_not_kept_in_memory_of_the_runtime() -> None:
    """14 columns in tiles of 5: the last tile is another loop, which needs the registers too."""
    lanes = host().machine.lanes
    source, target = Frame(1, 14, 14, 160), Frame(1, 14, 14, 5 * lanes)
    kernel = alone(Pointwise(source, target, 1, 160, 5 * lanes, lanes))
    library = compile_function(scheduled(kernel, [Tile(7, 5, 5)], merged=True), host())
    code = library.mod.inspect_source("ll")
    assert "__tvm_parallel_lambda" in code
    assert "load ptr, ptr @__TVMBackendAllocWorkspace" not in code
