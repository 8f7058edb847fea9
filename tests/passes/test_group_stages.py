"""Which stages share a kernel."""

from dataclasses import replace

import pytest

from pipeline.build import laid_out, read_network
from pipeline.models import InputSpec, load
from pipeline.operators import Network
from pipeline.passes.windows_over_units import KEPT, WEIGHTS
from pipeline.targets import Target, host
from schedules.cpu.border import Border

# Bytes between the first two units of MobileNet 0.5, of 64x64 pixels: 32x32 of 32 channels.
BETWEEN = 32 * 32 * 32 * 4
UNIT = ["Depthwise", "Pointwise"]


@pytest.fixture(scope="module")
def network() -> Network:
    return read_network(load("mobilenet-0.5", InputSpec(64, 64)))


def with_cache(size: float, l3_bytes: int = 0, fma_lanes: int = 16) -> Target:
    target = host()
    machine = replace(target.machine, l2_bytes=int(size), l3_bytes=l3_bytes, fma_lanes=fma_lanes)
    return replace(target, machine=replace(machine, cores=2))


def kernels(network: Network, target: Target) -> list[list[str]]:
    """The operators of every call."""
    return [
        [type(s.work).__name__ for s in call.kernel.stages if not isinstance(s.work, Border)]
        for call in laid_out(network, target).calls
    ]


def is_joined(network: Network, target: Target) -> bool:
    """Whether the first kernel has a second window over its first unit."""
    return kernels(network, target)[0].count("Depthwise") == 2


def test_a_unit_joins_the_one_before_where_the_frame_between_them_is_far(network: Network) -> None:
    near, far = with_cache(1.1 * BETWEEN / KEPT), with_cache(0.9 * BETWEEN / KEPT)
    assert not is_joined(network, near)
    assert is_joined(network, far)
    assert len(kernels(network, far)) < len(kernels(network, near))


@pytest.mark.parametrize(("fma_lanes", "joined"), [(1, False), (64, True)])
def test_a_fast_core_makes_rows_again_and_a_slow_one_waits_for_them(
    network: Network, fma_lanes: int, joined: bool
) -> None:
    far = 0.9 * BETWEEN / KEPT
    assert is_joined(network, with_cache(far, BETWEEN, fma_lanes)) == joined
    # A frame that no cache holds comes from DRAM.
    assert is_joined(network, with_cache(far, BETWEEN - 1, fma_lanes))


def test_no_unit_joins_where_weights_are_far_too(network: Network) -> None:
    weights = 4 * (9 * 16 + 16 + 16 * 32 + 32)
    assert is_joined(network, with_cache(1.1 * weights / WEIGHTS))
    assert not is_joined(network, with_cache(0.9 * weights / WEIGHTS))


def test_two_units_and_no_more_share_a_kernel(network: Network) -> None:
    most = max(one.count("Depthwise") for one in kernels(network, with_cache(16000)))
    assert most == 2


def test_images_of_a_batch_share_no_strips() -> None:
    batch = read_network(load("mobilenet-0.5", InputSpec(64, 64, batch=2)))
    assert not is_joined(batch, with_cache(0.9 * BETWEEN / KEPT))


@pytest.fixture(scope="module")
def shuffled() -> Network:
    return read_network(load("shufflenet-1.0x-g3", InputSpec(64, 64)))


def opened(network: Network, target: Target) -> list[bool]:
    """Of every kernel of more than one operator, whether it begins with a 1x1 convolution."""
    return [one[0].startswith("Pointwise") for one in kernels(network, target) if one[1:]]


def test_the_convolution_before_a_window_opens_its_unit_where_both_read_the_same(
    shuffled: Network,
) -> None:
    """That is the first unit, whose pool reads what the first pool wrote. Those after it replace
    what they read by what they write."""
    fast = with_cache(4 * BETWEEN, fma_lanes=64)
    made = opened(shuffled, fast)
    assert made == [False, True, *[False] * (len(made) - 2)]
    assert kernels(shuffled, fast)[0][-1].endswith("Pool")


def test_no_convolution_opens_a_unit_on_a_core_that_multiplies_slowly(shuffled: Network) -> None:
    assert not any(opened(shuffled, with_cache(4 * BETWEEN, fma_lanes=1)))


def test_no_convolution_opens_a_unit_without_a_pool(network: Network) -> None:
    """What MobileNet's read nobody else does, so that it would have to be whole in memory."""
    assert not any(opened(network, with_cache(4 * BETWEEN)))


def test_no_convolution_opens_a_unit_of_a_batch() -> None:
    batch = read_network(load("shufflenet-1.0x-g3", InputSpec(64, 64, batch=2)))
    assert not any(opened(batch, with_cache(4 * BETWEEN)))
