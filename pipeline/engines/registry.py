"""Every engine by name: which file runs it, what it reads, which packages it needs.

A further engine is a worker file in this folder and an entry here.
"""

from dataclasses import dataclass
from enum import StrEnum

from pipeline.errors import RequestError


class Reads(StrEnum):
    """What the `source` of an engine's load command holds."""

    BUNDLE = "bundle"
    MODEL = "model"
    ONNX = "onnx"
    PEAK = "peak"


@dataclass(frozen=True)
class EngineKind:
    """`worker` is a module; without `packages` (pinned) it runs in our own environment."""

    name: str
    worker: str
    reads: Reads
    packages: tuple[str, ...] = ()


WORKERS = "pipeline.engines"
OURS = EngineKind("shufflenet-tvm", f"{WORKERS}.ours_worker", Reads.BUNDLE)
REMOTE = EngineKind("shufflenet-tvm", f"{WORKERS}.device_worker", Reads.BUNDLE)
PEAK = EngineKind("fma-peak", f"{WORKERS}.peak_worker", Reads.PEAK)
TORCH = EngineKind("torch", f"{WORKERS}.torch_worker", Reads.MODEL)
ONNXRUNTIME = ("onnxruntime==1.32.0",)
OPENVINO = ("openvino==2026.4.1",)
PEERS = {
    kind.name: kind
    for kind in (
        TORCH,
        EngineKind("torch-compile", f"{WORKERS}.torch_compile_worker", Reads.MODEL),
        EngineKind(
            "onnxruntime",
            f"{WORKERS}.onnxruntime_worker",
            Reads.ONNX,
            ("onnxruntime==1.32.0",),
        ),
        EngineKind("openvino", f"{WORKERS}.openvino_worker", Reads.ONNX, OPENVINO),
    )
}


def peers_named(names: list[str]) -> list[EngineKind]:
    """The peers of these names, each once; RequestError lists the known ones."""
    for name in names:
        if name not in PEERS:
            raise RequestError(f"unknown peer {name!r}; known: {', '.join(PEERS)}")
    return [PEERS[name] for name in dict.fromkeys(names)]
