"""MNN on the CPU in float32, from ONNX by its own converter."""

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.engines.conversion import convert
from pipeline.engines.worker import Array, serve

# The converter itself: `mnnconvert` and MNN.tools, which wrap it, install a package and report to
# a server when they are imported.
CONVERT = """
import sys, _tools
sys.exit(not _tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--bizCode", "bench", *sys.argv[1:]]))
"""


class Session:
    """`source` is {"onnx": FILE}."""

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        # It prints while it is imported, and what `serve` has not redirected would be a reply.
        self.mnn = importlib.import_module("MNN")
        with tempfile.TemporaryDirectory(prefix="shufflenet-tvm-") as folder:
            path = Path(folder) / "model.mnn"
            files = ["--modelFile", source["onnx"], "--MNNModel", str(path)]
            convert([sys.executable, "-c", CONVERT, *files], path)
            self.interpreter = self.mnn.Interpreter(str(path))
        # "high" is float32; "low" may compute in 16 bits.
        settings = {"backend": "CPU", "precision": "high"}
        self.session = self.interpreter.createSession(settings | {"numThread": threads})
        self.into = self.interpreter.getSessionInput(self.session)
        self.out = self.interpreter.getSessionOutput(self.session)
        return settings | {"version": self.mnn.version()}

    def set_input(self, data: Array) -> None:
        self.data = self._tensor(data)
        self.result = np.full(self.out.getShape(), np.nan, np.float32)

    def infer(self) -> None:
        # The session computes in the memory of its input too, so each inference needs the image.
        self.into.copyFrom(self.data)
        self.interpreter.runSession(self.session)

    def output(self) -> Array:
        host = self._tensor(self.result)
        self.out.copyToHostTensor(host)
        return np.array(host.getNumpyData()).reshape(self.result.shape)

    def _tensor(self, data: Array) -> Any:
        """A copy as a tensor with the channels first, as the images have them."""
        kind, order = self.mnn.Halide_Type_Float, self.mnn.Tensor_DimensionType_Caffe
        return self.mnn.Tensor(tuple(data.shape), kind, np.ascontiguousarray(data), order)


if __name__ == "__main__":
    serve(Session)
