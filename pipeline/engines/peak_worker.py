"""Runs the loop that measures the ceiling of the machine."""

from typing import Any

from pipeline.engines.aligned import aligned
from pipeline.engines.runtime import load_library, tensor
from pipeline.engines.worker import Array, serve
from pipeline.peak_kernel import FUNCTION, PeakKernel, peak_arguments


class Peak:
    """`source` is {"library": FILE, "kernel": the fields of a PeakKernel}."""

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        kernel = PeakKernel(**source["kernel"])
        self.function = load_library(source["library"])[FUNCTION]
        factor, self.result = map(aligned, peak_arguments(kernel))
        self.arguments = tensor(factor), tensor(self.result)
        return {}

    def set_input(self, data: Array) -> None:
        """The loop brings its own."""

    def infer(self) -> None:
        self.function(*self.arguments)

    def output(self) -> Array:
        return self.result


if __name__ == "__main__":
    serve(Peak)
