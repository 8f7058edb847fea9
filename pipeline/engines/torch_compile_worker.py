"""torch.compile with frozen weights, in the memory format in which eager PyTorch is faster."""

from typing import Any

import torch
from torch._inductor import config

from pipeline.engines.torch_worker import Eager
from pipeline.engines.worker import Array, serve


class Compiled(Eager):
    """`source` is that of the eager engine."""

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        # Frozen weights may be packed and the normalisation folded into them, as other engines do.
        config.freezing = True
        # Compiling in this process leaves no pool of compilers behind.
        config.compile_threads = 1
        settings = super().load(source, data, threads)
        self.module = torch.compile(self.module)
        return settings | {"freezing": "on"}


if __name__ == "__main__":
    serve(Compiled)
