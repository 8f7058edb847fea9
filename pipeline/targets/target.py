"""What the compiler is told of a kind of device, and the machine record of the schedules."""

from dataclasses import dataclass

from tvm.target import Target as TvmTarget

from schedules.machine import Machine


@dataclass(frozen=True)
class Target:
    """A kind of device. `features` are those of the CPU that the code needs; `family` names the
    tuning records that fit: same instruction set and same machine record."""

    name: str
    triple: str
    cpu: str
    features: tuple[str, ...]
    machine: Machine

    @property
    def family(self) -> str:
        """The name of the tuning records."""
        machine = self.machine
        return f"{self.triple.split('-')[0]}-{machine.name}-{machine.fma_lanes}fma"

    @property
    def tvm(self) -> TvmTarget:
        """The target of the compiler."""
        return TvmTarget(
            {
                "kind": "llvm",
                "mtriple": self.triple,
                "mcpu": self.cpu,
                "num-cores": self.machine.cores,
            }
        )
