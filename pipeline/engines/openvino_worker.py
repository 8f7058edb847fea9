"""OpenVINO on the CPU, set for the latency of one request in float32."""

from typing import Any

import numpy as np
import openvino  # type: ignore[import-not-found]

from pipeline.engines.worker import Array, serve


class Request:
    """`source` is {"onnx": FILE}."""

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        # Where the CPU has bfloat16, OpenVINO computes in it unless told to keep float32.
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": str(threads),
            "NUM_STREAMS": "1",
        }
        compiled = openvino.Core().compile_model(source["onnx"], "CPU", settings)
        self.request = compiled.create_infer_request()
        self.result = np.empty(tuple(compiled.output(0).shape), np.float32)
        return settings | {"version": openvino.__version__}

    def set_input(self, data: Array) -> None:
        self.data = np.ascontiguousarray(data)
        self.result.fill(np.nan)
        self.request.set_input_tensor(openvino.Tensor(self.data, shared_memory=True))
        self.request.set_output_tensor(openvino.Tensor(self.result, shared_memory=True))

    def infer(self) -> None:
        self.request.infer()

    def output(self) -> Array:
        return self.result


if __name__ == "__main__":
    serve(Request)
