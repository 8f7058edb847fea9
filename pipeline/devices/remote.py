"""Whether a device can run what was compiled."""

from pipeline.devices.address import RpcAddress
from pipeline.devices.probe import Probe, examine
from pipeline.errors import RequestError
from pipeline.manifest import TargetSpec
from pipeline.processor import architecture
from pipeline.targets import Target, target_named


def require_device(address: RpcAddress, spec: TargetSpec) -> Probe:
    """What a probe found of the device; RequestError if it cannot run code for that target."""
    return examine(address, target_of(spec), spec.features)


def target_of(spec: TargetSpec) -> Target:
    """The target that a bundle names; RequestError if it is the host of another machine."""
    if spec.name == "host" and spec.architecture != architecture():
        raise RequestError(
            f"the bundle is for the {spec.architecture} machine that it was made on; to run it on a"
            " device from here, compile it with --target and the name of the device's core"
        )
    system = "android" if "android" in spec.triple else "linux"
    return target_named(spec.name, system, spec.dtype)
