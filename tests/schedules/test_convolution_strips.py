"""Strips of convolutions: tall where weights are what a cache cannot hold, short where data is."""

from schedules.cpu.convolution import Convolution, hand_tiles
from schedules.cpu.convolution_strips import hand_strip_rows
from schedules.frame import Frame
from schedules.machine import Machine
from tests.schedules.running import AVX512


def layer(side: int, channels: int, machine: Machine) -> Convolution:
    source, target = Frame(1, side, side, channels, 1), Frame(1, side, side, channels, 1)
    lanes = machine.lanes_for(channels)
    return Convolution(source, target, (3, 3), 1, 1, 1, channels, channels, lanes)


def test_nine_megabytes_of_weights_are_read_once() -> None:
    assert hand_strip_rows(layer(28, 512, AVX512), AVX512) == 28


def test_rows_of_a_large_image_stay_in_the_cache_for_all_vector_blocks() -> None:
    work = layer(224, 64, AVX512)
    rows = hand_strip_rows(work, AVX512)
    assert (rows + 2) * work.source.bytes / work.source.shape[0] <= AVX512.l2_bytes / 2
    assert rows >= 2


def test_tiles_read_few_weights_for_their_multiply_adds() -> None:
    tile = hand_tiles(layer(28, 512, AVX512), AVX512, 28)[0]
    assert (tile.columns, tile.vectors) == (14, 2)
