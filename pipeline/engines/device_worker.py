"""Runs a compiled bundle on a device over RPC, and times it by the device's clock."""

from pathlib import Path
from typing import Any

import tvm

from pipeline.devices.address import RpcAddress, parse_device
from pipeline.devices.session import connect
from pipeline.engines.worker import Array, serve

FUNCTION = "main"
# The device frees itself after that, should this machine fall silent.
SESSION_SECONDS = 3600.0


class Remote:
    """`source` is {"bundle": FOLDER, "device": ADDRESS, "cores": MODE}."""

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        address = parse_device(source["device"])
        assert isinstance(address, RpcAddress)
        cores = source["cores"]
        # It is held until the process ends, and with it the connection.
        self.connection = connect(address, SESSION_SECONDS, cores=cores, threads=threads)
        self.session = self.connection.__enter__()
        library = self.session.upload(Path(source["bundle"]) / "model.so")
        self.machine = tvm.relax.VirtualMachine(library.module, self.session.remote.cpu())
        return {"cores": cores}

    def set_input(self, data: Array) -> None:
        self.machine.set_input(FUNCTION, self.session.tensor(data))

    def infer(self) -> None:
        self.machine.invoke_stateful(FUNCTION)

    def output(self) -> Array:
        output: Array = self.machine.get_outputs(FUNCTION).numpy()
        return output

    def measure(self, settle: int, count: int) -> list[float]:
        timed = self.machine.time_evaluator(
            "invoke_stateful", self.session.remote.cpu(), number=1, repeat=settle + count
        )
        return [float(seconds) for seconds in timed(FUNCTION).results[settle:]]


if __name__ == "__main__":
    serve(Remote)
