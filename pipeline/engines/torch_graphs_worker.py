"""PyTorch on a GPU, captured as one CUDA graph."""

from typing import Any

import torch

from pipeline.engines.torch_cuda_worker import OnGpu
from pipeline.engines.worker import Array, serve

WARM_UPS = 3


class Captured(OnGpu):
    """`source` is that of PyTorch on a CPU."""

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        settings = super().load(source, data, threads)
        # As PyTorch's manual asks: warm up on another stream than the default one.
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UPS):
                super().start()
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            super().start()
        return settings | {"cuda_graph": "on"}

    def start(self) -> None:
        """One inference, which the host does not wait for."""
        self.graph.replay()


if __name__ == "__main__":
    serve(Captured)
