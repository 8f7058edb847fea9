"""Runs a compiled bundle with TVM's runtime alone; the number of threads is in TVM_NUM_THREADS."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.engines.aligned import aligned
from pipeline.engines.runtime import load_library, network_of, tensor
from pipeline.engines.worker import Array, serve


class Bundle:
    """`source` is {"bundle": FOLDER}."""

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        self.main = network_of(load_library(Path(source["bundle"]) / "model.so"))
        return {}

    def set_input(self, data: Array) -> None:
        self.data = tensor(aligned(data))

    def infer(self) -> None:
        self.result = self.main(self.data)

    def output(self) -> Array:
        output: Array = np.from_dlpack(self.result)
        return output


if __name__ == "__main__":
    serve(Bundle)
