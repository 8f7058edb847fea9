"""Multiply-adds of a network."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_macs(module: nn.Module, height: int, width: int) -> int:
    """Multiply-adds of convolutions and classifier for one image; `module` is on the meta device.

    The meta device computes shapes only, so that the count is quick at any size.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(torch.empty(1, 3, height, width, device="meta"))
    return int(counter.get_total_flops()) // 2  # a multiply-add is two operations
