"""Runs the loop that measures the ceiling of the machine."""

from typing import Any

import tvm

from pipeline.engines.worker import Array, serve
from pipeline.peak import FUNCTION, PeakKernel, peak_arguments


class Peak:
    """`source` is {"library": FILE, "kernel": the fields of a PeakKernel}."""

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        kernel = PeakKernel(**source["kernel"])
        self.function = tvm.runtime.load_module(source["library"])[FUNCTION]
        self.factor, self.result = map(tvm.runtime.tensor, peak_arguments(kernel))
        return {}

    def set_input(self, data: Array) -> None:
        """The loop brings its own."""

    def infer(self) -> None:
        self.function(self.factor, self.result)

    def output(self) -> Array:
        output: Array = self.result.numpy()
        return output


if __name__ == "__main__":
    serve(Peak)
