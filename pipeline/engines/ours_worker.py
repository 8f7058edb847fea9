"""Runs a compiled bundle with TVM's runtime alone; the number of threads is in TVM_NUM_THREADS."""

from pathlib import Path
from typing import Any

import tvm

from pipeline.engines.worker import Array, serve


class Bundle:
    """`source` is {"bundle": FOLDER}."""

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        library = tvm.runtime.load_module(str(Path(source["bundle"]) / "model.so"))
        self.machine = tvm.relax.VirtualMachine(library, tvm.cpu())
        self.main = self.machine["main"]
        return {}

    def set_input(self, data: Array) -> None:
        self.data = tvm.runtime.tensor(data)

    def infer(self) -> None:
        self.result = self.main(self.data)

    def output(self) -> Array:
        output: Array = self.result.numpy()
        return output


if __name__ == "__main__":
    serve(Bundle)
