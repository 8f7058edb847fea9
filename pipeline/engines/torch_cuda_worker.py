"""Eager PyTorch on a GPU, in float32 without TF32, channels last, timed by the device's events."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from pipeline.engines.worker import Array, serve
from pipeline.models import InputSpec, load

NO_GPU = "the installed PyTorch reaches no GPU; install a build of it for CUDA"


class OnGpu:
    """`source` is that of PyTorch on a CPU."""

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        if not torch.cuda.is_available():
            raise RuntimeError(NO_GPU)
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.benchmark = True
        weights = Path(source["weights"]) if source["weights"] else None
        model = load(source["model"], InputSpec(**source["spec"]), weights, source["seed"])
        self.module = model.module.cuda().to(memory_format=torch.channels_last)
        # Every inference reads this tensor, as one that was captured has to.
        self.data = torch.from_numpy(data).cuda().contiguous(memory_format=torch.channels_last)
        return {"memory_format": "channels_last", "tf32": "off"}

    def set_input(self, data: Array) -> None:
        self.data.copy_(torch.from_numpy(data))

    def start(self) -> None:
        """One inference, which the host does not wait for."""
        with torch.inference_mode():
            self.result = self.module(self.data)

    def infer(self) -> None:
        self.start()
        torch.cuda.synchronize()

    def output(self) -> Array:
        output: Array = self.result.cpu().numpy()
        return output

    def measure(self, settle: int, count: int) -> list[float]:
        events = [torch.cuda.Event(enable_timing=True) for _ in range(settle + count + 1)]
        events[0].record()
        for event in events[1:]:
            self.start()
            event.record()
        torch.cuda.synchronize()
        times = [start.elapsed_time(end) / 1e3 for start, end in pairwise(events)]
        return times[settle:]


if __name__ == "__main__":
    serve(OnGpu)
