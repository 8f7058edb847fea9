"""Whether a device runs code for a target: a small kernel is uploaded, run and compared.

    out[i] = data[i] * factor[i] + data[i]           # vectors of the target's instructions
    words[0..1] = getauxval(AT_HWCAP), getauxval(AT_HWCAP2)

The second function, for Linux, asks the kernel which features the CPU has, so that a library that
needs others is refused before it is loaded. It is loaded first and has no vectors.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tvm
from tvm.script import tirx as T

from pipeline.devices.address import RpcAddress
from pipeline.devices.deadline import within
from pipeline.devices.facts import Facts, read_facts
from pipeline.devices.hwcap import WORDS, features_of
from pipeline.devices.session import Session, connect
from pipeline.errors import RequestError, WorkFailedError
from pipeline.linker import linker_for
from pipeline.processor import linux_names
from pipeline.targets import Target

# A board may take seconds to begin a session, and a phone to wake up.
SECONDS = 60.0
SIZE = 64
SEED = 11


@dataclass(frozen=True)
class Probe:
    """A device that runs code for a target. `features` are those of /proc/cpuinfo; None where the
    device does not tell them, as Android."""

    facts: Facts
    features: frozenset[str] | None


def examine(
    address: RpcAddress, target: Target, needed: Sequence[str] = (), seconds: float = SECONDS
) -> Probe:
    """Probe any device of that key, which must have the `needed` features of /proc/cpuinfo too.

    The errors of `connect` and of `probe`; WorkFailedError if it does not end in that time.
    """
    what = f"the probe of {address}"
    return within(seconds, what, _examine, address, target, tuple(needed), seconds)


def _examine(address: RpcAddress, target: Target, needed: tuple[str, ...], seconds: float) -> Probe:
    with connect(address, seconds, wait=seconds / 2) as session:
        found = probe(session, target)
        if found.features is not None:
            require_features(session, found.features, needed)
        return found


def probe(session: Session, target: Target) -> Probe:
    """RequestError if it is no device for the target; WorkFailedError if it computes nonsense."""
    with tempfile.TemporaryDirectory(prefix="shufflenet-tvm-") as folder:
        features = _features(session, target, Path(folder))
        if features is not None:
            require_features(session, features, linux_names(target.architecture, target.features))
        library = Path(folder) / "probe.so"
        link(multiply_add(), target, library)
        _require_right(session, library, target)
    return Probe(read_facts(session, target.architecture), features)


def require_features(session: Session, present: frozenset[str], needed: Sequence[str]) -> None:
    """RequestError if the CPU of the device lacks something."""
    missing = sorted(set(needed) - present)
    if missing:
        raise RequestError(
            f"{session.address}: its CPU lacks {', '.join(missing)}; compile for the core that it "
            "has, as `shufflenet-tvm rpc devices` tells it"
        )


def _features(session: Session, target: Target, folder: Path) -> frozenset[str] | None:
    if target.android or target.architecture == "x86_64":
        return None
    path = folder / "capabilities.so"
    link(capabilities(), target, path)
    words = np.zeros(len(WORDS), "int64")
    try:
        (found,) = session.upload(path).run("capabilities", [words])
    except WorkFailedError as error:
        raise _unfit(session, target, error) from error
    return features_of(target.architecture, [int(word) for word in found])


def _require_right(session: Session, library: Path, target: Target) -> None:
    rng = np.random.default_rng(SEED)
    data, factor = (rng.standard_normal(SIZE, dtype="float32") for _ in range(2))
    out = np.full(SIZE, np.nan, "float32")
    try:
        *_, got = session.upload(library).run("multiply_add", [data, factor, out])
    except WorkFailedError as error:
        raise _unfit(session, target, error) from error
    if not np.allclose(got, data * factor + data, rtol=1e-5, atol=1e-6):
        raise WorkFailedError(f"{session.address}: a product and a sum come out wrong there")


def _unfit(session: Session, target: Target, error: WorkFailedError) -> RequestError:
    return RequestError(
        f"{error}; it does not run code for {target.name} ({target.triple}): is it another "
        f"architecture, or its TVM not {tvm.__version__}?"
    )


def link(module: tvm.IRModule, target: Target, path: Path) -> None:
    """Compile a module to a library for a target."""
    linker = linker_for(target)
    tvm.compile(module, target=target.tvm).export_library(str(path), fcompile=linker.link)


def multiply_add() -> tvm.IRModule:
    """The kernel of vectors."""

    @T.prim_func  # type: ignore[untyped-decorator]
    def multiply_add(a: T.handle, b: T.handle, c: T.handle) -> None:
        T.func_attr({"global_symbol": "multiply_add", "tirx.noalias": True})
        data = T.match_buffer(a, (SIZE,), "float32")
        factor = T.match_buffer(b, (SIZE,), "float32")
        out = T.match_buffer(c, (SIZE,), "float32")
        for block in T.serial(SIZE // 4):
            for lane in T.vectorized(4):
                out[block * 4 + lane] = (
                    data[block * 4 + lane] * factor[block * 4 + lane] + data[block * 4 + lane]
                )

    return tvm.IRModule({"multiply_add": multiply_add})


def capabilities() -> tvm.IRModule:
    """The question to the kernel of the operating system."""
    first, second = WORDS

    @T.prim_func  # type: ignore[untyped-decorator]
    def capabilities(a: T.handle) -> None:
        T.func_attr({"global_symbol": "capabilities"})
        words = T.match_buffer(a, (2,), "int64")
        words[0] = T.call_extern("int64", "getauxval", T.int64(first))
        words[1] = T.call_extern("int64", "getauxval", T.int64(second))

    return tvm.IRModule({"capabilities": capabilities})
