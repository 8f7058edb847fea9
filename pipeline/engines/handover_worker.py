"""Runs the function in which cores wait for each other."""

from typing import Any

import numpy as np

from pipeline.engines.runtime import load_library
from pipeline.engines.worker import Array, serve
from pipeline.handover_function import FUNCTION


class Handover:
    """`source` is {"library": FILE}."""

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        self.function = load_library(source["library"])[FUNCTION]
        return {}

    def set_input(self, data: Array) -> None:
        """It takes none."""

    def infer(self) -> None:
        self.function()

    def output(self) -> Array:
        return np.empty(0)


if __name__ == "__main__":
    serve(Handover)
