"""Counted bytes against bytes that can be worked out by hand."""

from typing import get_args

import pytest
from tvm import s_tir
from tvm.script import tirx as T

from pipeline.profiling.energy import energy
from pipeline.profiling.traffic import Tensors, missed_bytes, register_bytes
from pipeline.targets import host
from schedules.cpu import pointwise_deep
from schedules.cpu.kernel_function import scheduled
from schedules.cpu.pointwise_deep import PointwiseDeep
from schedules.cpu.sharing import Sharing
from schedules.frame import Frame
from tests.schedules import layers

ROWS, INNER, COLUMNS, LANES, TILE = 6, 10, 4, 8, 3


@T.prim_func(s_tir=True)
def product(
    a: T.Buffer((ROWS, INNER), "float32"),
    b: T.Buffer((INNER, COLUMNS * LANES), "float32"),
    c: T.Buffer((ROWS, COLUMNS * LANES), "float32"),
):
    for i, j, k in T.grid(ROWS, COLUMNS * LANES, INNER):
        with T.sblock("c"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                c[vi, vj] = T.float32(0)
            c[vi, vj] += a[vi, vk] * b[vk, vj]


def test_loads_and_stores_of_a_tiled_product():
    """A tile of 3 rows and one vector: sums in registers, the vector of b is read once for all."""
    sch = s_tir.Schedule(product)
    block = sch.get_sblock("c")
    local = sch.cache_write(block, 0, "local")
    i, j, k = sch.get_loops(block)
    io, ii = sch.split(i, [None, TILE])
    jo, lane = sch.split(j, [None, LANES])
    sch.reorder(io, jo, k, ii, lane)
    sch.reverse_compute_at(local, jo)
    sch.unroll(ii)
    sch.vectorize(lane)
    tiles, steps = ROWS // TILE * COLUMNS, ROWS // TILE * COLUMNS * INNER
    loads = steps * (TILE + LANES)
    stores = ROWS * COLUMNS * LANES
    assert register_bytes(sch.mod["main"]) == 4 * (loads + stores)
    assert tiles * TILE * LANES == stores


def test_a_vector_that_is_loaded_at_once_counts_in_full():
    """Twice 4 sums of 4 channels x 4 inputs, over 20 inputs: each step loads the weights of both
    vectors and 4 inputs of each pixel, and each pixel is stored."""
    frame = Frame(1, 4, 4, 20), Frame(1, 4, 4, 8)
    work = PointwiseDeep(*frame, 1, 20, 8, 0, 8, 4, 16)
    function = scheduled(layers.alone(work), [pointwise_deep.Tile(4, 4)], "strips")
    tiles, steps, vectors = 4, 5, 2
    loads = tiles * steps * (vectors * 16 + 4 * 4) + tiles * vectors * 16
    assert register_bytes(function) == 4 * (loads + 16 * 8)


def test_how_cores_share_a_kernel_changes_no_load() -> None:
    machine = host().machine
    kernel = layers.unit((7, 7, 32, 2, 64), machine, border=0)
    tiles = layers.hand_tiles(kernel, machine)
    counts = {register_bytes(scheduled(kernel, tiles, sharing)) for sharing in get_args(Sharing)}
    assert len(counts) == 1


MB = 1 << 20


def chain(weights):
    """Three calls, each reading what the one before wrote."""
    return [Tensors({f"t{n}": 2 * MB}, {f"w{n}": weights}, {f"t{n + 1}": 2 * MB}) for n in range(3)]


def test_what_fits_the_cache_comes_once():
    assert missed_bytes(chain(MB), 64 * MB) == [0, 0, 0]


def test_weights_that_do_not_fit_come_anew_and_activations_stay():
    assert missed_bytes(chain(8 * MB), 16 * MB) == [10 * MB, 8 * MB, 8 * MB]


def test_what_fits_nowhere_comes_anew():
    assert missed_bytes(chain(8 * MB), MB) == [10 * MB] * 3


def test_energy_of_the_published_figures():
    found = energy(macs=10**6, register_bytes=4 * 10**6, dram_bytes=4 * 10**6)
    assert found.arithmetic_uj == pytest.approx(1.8)
    assert found.cache_uj == pytest.approx(5)
    assert found.dram_uj == pytest.approx(640)
    assert found.total_uj == pytest.approx(646.8)
