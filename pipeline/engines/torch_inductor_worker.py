"""torch.compile on a GPU, in the mode that tunes its kernels and replays them as a CUDA graph."""

from typing import Any

import torch
from torch._inductor import config

from pipeline.engines.torch_cuda_worker import OnGpu
from pipeline.engines.worker import Array, serve

MODE = "max-autotune"


class Inductor(OnGpu):
    """`source` is that of PyTorch on a CPU."""

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        config.freezing = True
        settings = super().load(source, data, threads)
        self.module = torch.compile(self.module, mode=MODE)
        return settings | {"freezing": "on", "mode": MODE}


if __name__ == "__main__":
    serve(Inductor)
