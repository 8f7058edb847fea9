"""TVM without anything of ours: its own pipeline on the imported module, untuned or tuned by it.

Untuned, its operators are plain loop nests that run on one core whatever the number of threads.
Tuned, they have the schedules that MetaSchedule found best of its own space, with packed weights.
"""

from pathlib import Path
from typing import Any

import tvm

from pipeline.engines.metaschedule import BEFORE, tuned_module
from pipeline.engines.worker import Array, serve
from pipeline.frontend import import_model
from pipeline.models import InputSpec, load
from pipeline.targets import target_named


class Compiled:
    """`source` is that of the torch engine, with "target" and, of a tuned one, "database"."""

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        weights = Path(source["weights"]) if source["weights"] else None
        model = load(source["model"], InputSpec(**source["spec"]), weights, source["seed"])
        target = target_named(source["target"]).tvm
        module, settings = import_model(model.module, model.example), {"pipeline": "default"}
        if "database" in source:
            module = tuned_module(BEFORE(module), target, source["database"])
            settings = source["settings"]
        self.machine = tvm.relax.VirtualMachine(tvm.compile(module, target=target), tvm.cpu())
        self.main = self.machine["main"]
        return settings

    def set_input(self, data: Array) -> None:
        self.data = tvm.runtime.tensor(data)

    def infer(self) -> None:
        self.result = self.main(self.data)

    def output(self) -> Array:
        output: Array = self.result.numpy()
        return output


if __name__ == "__main__":
    serve(Compiled)
