"""Runs a compiled bundle on a device over RPC, and times it by the device's clock.

Beside it, a loop of multiply-adds that finds the ceiling; the device has one session for both.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import tvm

from pipeline.devices.address import RpcAddress, parse_device
from pipeline.devices.facts import read_facts
from pipeline.devices.session import Timing, connect
from pipeline.engines.worker import Array, serve
from pipeline.peak_kernel import FUNCTION as PEAK
from pipeline.peak_kernel import PeakKernel, peak_arguments

FUNCTION = "main"
# The device frees itself after that, should this machine fall silent.
SESSION_SECONDS = 3600.0


class Remote:
    """`source` is {"bundle": FOLDER, "device": ADDRESS, "cores": MODE}.

    To be asked for the ceiling, it has {"peak": as that engine's, "architecture": NAME} too.
    """

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        address = parse_device(source["device"])
        assert isinstance(address, RpcAddress)
        cores = source["cores"]
        # It is held until the process ends, and with it the connection.
        self.connection = connect(address, SESSION_SECONDS, cores=cores, threads=threads)
        self.session = self.connection.__enter__()
        library = self.session.upload(Path(source["bundle"]) / "model.so")
        self.machine = tvm.relax.VirtualMachine(library.module, self.session.remote.cpu())
        self.architecture = source.get("architecture", "aarch64")
        if "peak" in source:
            kernel = PeakKernel(**source["peak"]["kernel"])
            self.peak = self.session.upload(Path(source["peak"]["library"]))
            self.peak_arguments = peak_arguments(kernel)
        return {"cores": cores}

    def set_input(self, data: Array) -> None:
        self.machine.set_input(FUNCTION, self.session.tensor(data))

    def infer(self) -> None:
        self.machine.invoke_stateful(FUNCTION)

    def output(self) -> Array:
        output: Array = self.machine.get_outputs(FUNCTION).numpy()
        return output

    def ceiling(self, count: int) -> list[float]:
        """Seconds of each of so many loops of multiply-adds."""
        return list(self.peak.time(PEAK, self.peak_arguments, Timing(repeat=count)))

    def state(self) -> dict[str, Any]:
        """The cores of the device, their clock, its temperature, and whether it is emulated."""
        facts = read_facts(self.session, self.architecture)
        return asdict(facts) | {"cpu": facts.description}

    def measure(self, settle: int, count: int) -> list[float]:
        timed = self.machine.time_evaluator(
            "invoke_stateful", self.session.remote.cpu(), number=1, repeat=settle + count
        )
        return [float(seconds) for seconds in timed(FUNCTION).results[settle:]]


if __name__ == "__main__":
    serve(Remote)
