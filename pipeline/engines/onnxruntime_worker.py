"""ONNX Runtime on the CPU, all graph optimisations, one operator after the other."""

from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-not-found]

from pipeline.engines.worker import Array, serve


class Session:
    """`source` is {"onnx": FILE}."""

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(
            source["onnx"], options, providers=["CPUExecutionProvider"]
        )
        shape = self.session.get_outputs()[0].shape
        self.result = np.full(shape, np.nan, np.float32)
        return {"graph_optimization": "all", "version": onnxruntime.__version__}

    def set_input(self, data: Array) -> None:
        self.data = np.ascontiguousarray(data)
        self.result.fill(np.nan)
        self.binding = self.session.io_binding()
        self._bind(self.binding.bind_input, self.session.get_inputs()[0].name, self.data)
        self._bind(self.binding.bind_output, self.session.get_outputs()[0].name, self.result)

    def infer(self) -> None:
        self.session.run_with_iobinding(self.binding)

    def output(self) -> Array:
        return self.result

    def _bind(self, bind: Any, name: str, array: Array) -> None:
        bind(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)


if __name__ == "__main__":
    serve(Session)
