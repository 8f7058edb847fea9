"""Runs a compiled bundle on the GPU of this machine as one CUDA graph, timed by its events."""

from pathlib import Path
from typing import Any

import tvm
import tvm_ffi

from pipeline.engines.worker import Array, serve
from pipeline.gpu.graph import Replay, cuda_runtime
from pipeline.gpu.runtime import load_runtime


class CudaBundle:
    """`source` is {"bundle": FOLDER}."""

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        load_runtime()
        device = tvm.cuda(0)
        library = tvm.runtime.load_module(str(Path(source["bundle"]) / "model.so"))
        main = tvm.relax.VirtualMachine(library, device)["main"]
        self.device, self.image = device, tvm.runtime.tensor(data, device)

        def start(stream: int) -> Any:
            with tvm_ffi.use_raw_stream(device, stream):
                return main(self.image)

        self.replay = Replay(start, cuda_runtime())
        return {"cuda_graph": f"{self.replay.kernels} nodes"}

    def set_input(self, data: Array) -> None:
        self.image.copyfrom(data)
        self.device.sync()

    def infer(self) -> None:
        self.replay.launch()
        self.replay.wait()

    def output(self) -> Array:
        output: Array = self.replay.result.numpy()
        return output

    def measure(self, settle: int, count: int) -> list[float]:
        return self.replay.seconds(settle + count)[settle:]


if __name__ == "__main__":
    serve(CudaBundle)
