"""Products on tensor cores: the layout of their registers, and where they are used."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.gpu.accesses import accesses
from pipeline.gpu.bound import bound_of
from pipeline.gpu.compilers import compiler_named
from pipeline.gpu.sass import instruction_mix
from pipeline.targets.gpu import GPUS
from schedules.cuda.chain import Chain, on_matrices
from schedules.cuda.fragments import fragments
from schedules.cuda.operators import hand_tile, program, tiles_that_fit
from schedules.cuda.shared import shared_bytes
from schedules.cuda.tiles import chosen, registers
from schedules.cuda.window import Window
from schedules.gpu import BLOCK_SHARED_BYTES
from tests.cuda.emulator import cuda_source
from tests.cuda.half_works import MATRICES, frame, product

H100 = GPUS["h100"]
ARCHITECTURES = (75, 80, 90, 120)


def pointwise(images: int, groups: int = 1) -> Chain:
    return Chain(
        frame(images, 14, 14, 240), frame(images, 14, 14, 480),
        project=product(groups, 240 // groups, 480 // groups),
    )  # fmt: skip


def test_weights_lie_as_the_threads_of_a_warp_hold_them() -> None:
    weight = np.arange(2 * 40 * 16, dtype="float32").reshape(2, 40, 16)
    packed = fragments(weight)
    assert packed.shape == (2, 2, 2, 32, 8)
    whole = np.pad(weight, [(0, 0), (0, 24), (0, 0)])
    for thread in range(32):
        pair, output = thread % 4 * 2, thread // 4
        # PTX, mma.m16n8k16: the registers of B, here of two multiplications along k.
        rows = [16 * step + k + pair for step in range(2) for k in (0, 1, 8, 9)]
        for vector in range(2):
            for access in range(2):
                expected = whole[1, [32 * access + row for row in rows], vector * 8 + output]
                assert (packed[1, vector, access, thread] == expected).all()


@pytest.mark.parametrize("gpu", GPUS.values(), ids=GPUS)
def test_batches_are_multiplied_by_tensor_cores(gpu) -> None:
    assert all(chosen(pointwise(128, groups), gpu).matrices for groups in (1, 3))
    single = Chain(frame(1, 1, 1, 48), frame(1, 1, 1, 16), project=product(1, 48, 16))
    assert not chosen(single, gpu).matrices
    assert not chosen(pointwise(128), replace(gpu, matrix_macs=0)).matrices


def test_every_gpu_gets_matrix_instructions_and_wide_loads() -> None:
    chain = chosen(pointwise(128, 3), H100)
    source = cuda_source({"one": program(chain, hand_tile(chain, H100))})
    code = compiler_named("nvrtc").compile(source, ARCHITECTURES)
    assert all(one.spilled_bytes == 0 for one in code.resources)
    for architecture in ARCHITECTURES:
        (mix,) = instruction_mix(code.binary, architecture).values()
        assert mix["tensor"] >= 4
        assert mix["load_128"] >= 4
        assert mix["store_128"] >= 1
        assert "fma" not in mix
        assert "store" not in mix


def test_a_long_reduction_stays_in_registers() -> None:
    chain = on_matrices(
        Chain(
            frame(128, 14, 14, 256), frame(128, 14, 14, 512), window=Window("depthwise", 1),
            project=product(1, 256, 512),
        )
    )  # fmt: skip
    source = cuda_source({"one": program(chain, hand_tile(chain, H100))})
    code = compiler_named("nvrtc").compile(source, (75, 90))
    assert [one for one in code.resources if one.spilled_bytes] == []


@pytest.mark.parametrize("gpu", GPUS.values(), ids=GPUS)
def test_warps_ask_for_neighbouring_values(gpu) -> None:
    chain = chosen(pointwise(128), gpu)
    found = accesses(program(chain, hand_tile(chain, gpu)))
    assert {one.tensor for one in found} >= {"data", "project_weight", "out"}
    assert all(one.coalesced and one.widest == 16 for one in found), found


@pytest.mark.parametrize("chain", [*MATRICES.values(), on_matrices(pointwise(128))])
def test_tiles_are_within_the_gpu(chain: Chain) -> None:
    space = tiles_that_fit(chain, GPUS["t4"])
    assert space
    for tile in space:
        assert shared_bytes(chain, tile) <= BLOCK_SHARED_BYTES
        assert tile.threads <= 1024
        assert registers(chain, tile) * tile.threads <= 65536


def test_the_bound_counts_the_tensor_cores() -> None:
    chain = on_matrices(pointwise(128))
    bound = bound_of(chain, hand_tile(chain, H100), H100)
    assert bound.arithmetic == pytest.approx(128 * 196 * 240 * 480 / (989.4e12 / 2))
