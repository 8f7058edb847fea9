"""TensorRT on a GPU in float32 without TF32, captured as one CUDA graph."""

from typing import Any

import numpy as np

from pipeline.engines.worker import Array, serve
from pipeline.gpu.graph import Replay, cuda_runtime


class TensorRt:
    """`source` is {"onnx": FILE}."""

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        import tensorrt  # type: ignore[import-not-found]

        self.cuda = cuda_runtime()
        logger = tensorrt.Logger(tensorrt.Logger.ERROR)
        builder = tensorrt.Builder(logger)
        network, config = builder.create_network(), builder.create_builder_config()
        parser = tensorrt.OnnxParser(network, logger)
        if not parser.parse_from_file(source["onnx"]):
            raise RuntimeError(f"TensorRT reads no such model: {parser.get_error(0).desc()}")
        config.clear_flag(tensorrt.BuilderFlag.TF32)
        plan = builder.build_serialized_network(network, config)
        self.engine = tensorrt.Runtime(logger).deserialize_cuda_engine(plan)
        self.context = self.engine.create_execution_context()
        self._bind()
        self.set_input(data)
        self.replay = Replay(self.context.execute_async_v3, self.cuda)
        return {"tf32": "off", "cuda_graph": "on", "version": str(tensorrt.__version__)}

    def set_input(self, data: Array) -> None:
        self._copy(
            self.pointers[0], np.ascontiguousarray(data).ctypes.data, data.nbytes, "HostToDevice"
        )

    def infer(self) -> None:
        self.replay.launch()
        self.replay.wait()

    def output(self) -> Array:
        made: Array = np.empty(self.shape, "float32")
        self._copy(made.ctypes.data, self.pointers[1], made.nbytes, "DeviceToHost")
        return made

    def measure(self, settle: int, count: int) -> list[float]:
        return self.replay.seconds(settle + count)[settle:]

    def _bind(self) -> None:
        """Memory for the input and the output; the network has one of each."""
        names = [self.engine.get_tensor_name(index) for index in range(2)]
        shapes = [tuple(self.engine.get_tensor_shape(name)) for name in names]
        self.pointers = [self._allocated(4 * int(np.prod(shape))) for shape in shapes]
        for name, pointer in zip(names, self.pointers, strict=True):
            self.context.set_tensor_address(name, pointer)
        self.shape = shapes[1]

    def _allocated(self, size: int) -> int:
        status, pointer = self.cuda.cudaMalloc(size)
        if int(status) != 0:
            raise MemoryError(f"the GPU has no {size} bytes left")
        return int(pointer)

    def _copy(self, target: int, source: int, size: int, way: str) -> None:
        kind = getattr(self.cuda.cudaMemcpyKind, f"cudaMemcpy{way}")
        (status,) = self.cuda.cudaMemcpy(target, source, size, kind)
        if int(status) != 0:
            raise RuntimeError(f"cudaMemcpy failed: {status.name}")


if __name__ == "__main__":
    serve(TensorRt)
