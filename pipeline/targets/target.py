"""What the compiler is told of a kind of device, and the machine record of the schedules."""

from dataclasses import dataclass
from typing import Any

from tvm.target import Target as TvmTarget

from schedules.machine import Machine


@dataclass(frozen=True)
class Target:
    """A kind of device, and the arithmetic that its code is to use.

    `features` are those of the CPU that the code needs at least, in the compiler's words;
    `attributes` turn features of the named CPU on (+) or off (-); `has_half` says whether it
    multiplies and adds float16. `family` names the tuning records that fit: same instruction set,
    same machine record, same arithmetic.
    """

    name: str
    triple: str
    cpu: str
    features: tuple[str, ...]
    machine: Machine
    attributes: tuple[str, ...] = ()
    has_half: bool = False
    dtype: str = "float32"

    @property
    def architecture(self) -> str:
        """The instruction set, as in x86_64, aarch64 or armv7a."""
        return self.triple.split("-")[0]

    @property
    def android(self) -> bool:
        """Whether it is Android, else Linux."""
        return "android" in self.triple

    @property
    def family(self) -> str:
        """The name of the tuning records."""
        machine = self.machine
        family = f"{self.architecture}-{machine.name}-{machine.fma_lanes}fma"
        return family if self.dtype == "float32" else f"{family}-{self.dtype}"

    @property
    def tvm(self) -> TvmTarget:
        """The target of the compiler."""
        options: dict[str, Any] = {
            "kind": "llvm",
            "mtriple": self.triple,
            "mcpu": self.cpu,
            "num-cores": self.machine.cores,
        }
        if self.attributes:
            options["mattr"] = list(self.attributes)
        if self.triple.endswith("hf"):
            # Functions of the C library take floats in registers for floats, and the compiler does
            # not conclude that from the triple.
            options["mfloat-abi"] = "hard"
        return TvmTarget(options)
