"""The facts that make kernels fast on a GPU, and the analysis that tells them."""

import pytest
import tvm

from pipeline.compiling import compiling
from pipeline.gpu.accesses import accesses
from pipeline.gpu.analysis import GpuReport, analyze
from pipeline.gpu.bound import bound_of
from pipeline.gpu.build import BuiltGpu, Scheduled, build_gpu
from pipeline.gpu.compilers import compiler_named
from pipeline.gpu.device_source import bounded
from pipeline.gpu.package import device_module, keeping_source
from pipeline.gpu.sass import instruction_mix, kind_of, read_mix, read_opcodes
from pipeline.models import InputSpec, load
from pipeline.targets import gpu_target
from pipeline.targets.gpu import GPUS
from schedules.cuda.chain import Chain, Tile, patch_values
from schedules.cuda.operators import hand_tile, program
from schedules.cuda.order import Order
from schedules.cuda.product import Product
from schedules.cuda.tiles import starves
from schedules.cuda.window import Window
from schedules.frame import Frame, Planes
from schedules.gpu import Gpu
from tests.cuda.programs import strided_copy

H100 = GPUS["h100"]
POINTWISE = Chain(Frame(8, 14, 14, 240), Frame(8, 14, 14, 480), project=Product(1, 240, 480))
DEPTHWISE = Chain(Frame(8, 14, 14, 64), Frame(8, 14, 14, 64), window=Window("depthwise", 1))
STEM = Chain(
    Planes(8, 3, 224, 224), Frame(8, 56, 56, 24),
    expand=Product(1, patch_values("float32"), 24, "relu"), middle=Frame(8, 112, 112, 24),
    window=Window("max", 2), stride=2,
)  # fmt: skip

# The end of the first unit in eight groups: 45 channels each.
ODD = Chain(
    Frame(8, 56, 56, 96), Frame(8, 28, 28, 384), window=Window("depthwise", 2),
    project=Product(8, 12, 45, "relu"), offset=24,
)  # fmt: skip


def shuffled(channels: int, middle: int, groups: int) -> Chain:
    """The end of a unit of ShuffleNet's second stage, and the first product of the next."""
    order = Order(middle, groups, groups)
    follow = Product(groups, channels // groups, middle // groups, "relu")
    return Chain(
        Frame(1, 28, 28, order.places), Frame(1, 28, 28, channels), window=Window("depthwise", 1),
        project=Product(groups, order.slice, channels // groups, "relu"), residual=True,
        follow=follow, order=order, after=order.places,
    )  # fmt: skip


@pytest.fixture(scope="session")
def report(scheduled: Scheduled) -> GpuReport:
    code = compiler_named("nvrtc").compile(scheduled.source, (90,))
    return analyze(BuiltGpu(scheduled, code), H100, "small", 1)


def test_no_kernel_spills_or_waits_for_registers_or_shared_memory(report: GpuReport) -> None:
    assert [one.function for one in report.kernels if one.spilled_bytes or one.limited] == []
    assert all(0 < one.occupancy <= 1 and one.registers <= 170 for one in report.kernels)
    assert not any("spill" in one.instructions for one in report.kernels)


@pytest.mark.parametrize("chain", [POINTWISE, DEPTHWISE], ids=["pointwise", "depthwise"])
def test_instructions_load_128_bits_at_once(chain: Chain) -> None:
    function = program(chain, hand_tile(chain, H100)).with_attr("global_symbol", "one")
    with compiling(), keeping_source():
        library = tvm.compile(function, target=gpu_target("h100").tvm)
    source = device_module(library.mod).inspect_source("cuda")
    (mix,) = instruction_mix(compiler_named("nvrtc").compile(source, (90,)).binary, 90).values()
    assert mix["load_128"] > 8
    assert "load" not in mix
    assert "store" not in mix


def test_the_bound_is_of_what_the_kernels_do(report: GpuReport) -> None:
    assert report.kernel_calls == sum(one.calls for one in report.kernels)
    least = max(one.macs / H100.peak_macs for one in report.kernels)
    assert report.modelled_bound_seconds > least
    assert report.modelled_bound_formula.startswith("modelled bound = ")
    assert 0 < report.device_bytes < report.device_bytes_apart


@pytest.mark.parametrize("chain", [POINTWISE, DEPTHWISE], ids=["pointwise", "depthwise"])
@pytest.mark.parametrize("gpu", GPUS.values(), ids=GPUS)
def test_warps_ask_for_neighbouring_values(chain: Chain, gpu) -> None:
    tile = hand_tile(chain, gpu)
    found = accesses(program(chain, tile))
    assert {one.tensor for one in found} >= {"data", "out"}
    assert all(one.coalesced and one.widest == 16 for one in found), found
    assert not starves(chain, tile, gpu)


@pytest.mark.parametrize("gpu", GPUS.values(), ids=GPUS)
@pytest.mark.parametrize(
    "chain",
    [shuffled(200, 50, 2), shuffled(240, 60, 3), shuffled(272, 68, 4), shuffled(384, 96, 8), STEM],
    ids=["2", "3", "4", "8", "stem"],
)
def test_shuffled_results_and_images_are_neighbours_too(chain: Chain, gpu: Gpu) -> None:
    found = accesses(program(chain, hand_tile(chain, gpu)))
    assert [one for one in found if not one.coalesced] == []


def test_a_walk_across_rows_is_uncoalesced() -> None:
    by_name = {one.tensor: one for one in accesses(strided_copy(columns=64))}
    assert not by_name["source"].coalesced
    assert by_name["copy"].coalesced
    # 32 threads ask for a value each from 32 rows: 32 sectors for what fills 4.
    assert by_name["source"].sectors == 8 * by_name["source"].filled


def test_a_bound_is_the_slowest_of_arithmetic_and_memory() -> None:
    bound = bound_of(POINTWISE, Tile(1, 16, 1, 4, 1, 128), H100)
    assert bound.device_bytes == 4 * (1568 * 240 + 240 * 480 + 480 + 1568 * 480)
    assert bound.seconds == max(bound.arithmetic, bound.device, bound.l2)
    assert bound.arithmetic == pytest.approx(1568 * 240 * 480 / (132 * 128 * 1.98e9))


def test_registers_are_bounded_by_blocks() -> None:
    assert bounded("__launch_bounds__(64) f") == "__launch_bounds__(64, 8) f"
    assert bounded("__launch_bounds__(256) f") == "__launch_bounds__(256, 2) f"


def test_instructions_are_counted_by_kind() -> None:
    lines = """		Function : kernel1_project_kernel
        /*0000*/                   LDG.E.128.CONSTANT R4, [R2.64] ;   /* 0x00 */
        /*0010*/              @!P0 LDG.E R4, [R2.64] ;                /* 0x00 */
        /*0020*/                   FFMA R4, R5, R6, R4 ;              /* 0x00 */
        /*0030*/                   HMMA.16816.F32 R4, R5, R6, R4 ;    /* 0x00 */
        /*0040*/               @P1 STG.E.128 [R2.64], R4 ;            /* 0x00 */"""
    mix = read_mix(read_opcodes(lines.splitlines()))
    assert mix == {
        "kernel1_project": {"load_128": 1, "load": 1, "fma": 1, "tensor": 1, "store_128": 1}
    }
    assert kind_of("HFMA2.MMA") == "other"


def test_a_batch_of_128_builds_without_spills() -> None:
    model = load("shufflenet-0.25x-g1", InputSpec(64, 64, batch=128, classes=10))
    built = build_gpu(model, gpu_target("h100"), compiler_named("auto"))
    assert all(one.spilled_bytes == 0 for one in built.code.resources)
