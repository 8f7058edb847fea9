"""Every engine by name: which file runs it, what it reads, which packages it needs.

A further engine is a worker file in this folder and an entry here.
"""

from dataclasses import dataclass
from enum import StrEnum

from pipeline.errors import RequestError


class Reads(StrEnum):
    """What the `source` of an engine's load command holds."""

    BUNDLE = "bundle"
    LOOP = "loop"
    MODEL = "model"
    ONNX = "onnx"
    TUNED = "tuned"


@dataclass(frozen=True)
class EngineKind:
    """`worker` is a module; without `packages` (pinned) it runs in our own environment.

    `bare` packages are installed too, but without what they ask for. Those on a GPU are taken as
    they are installed, since a build of theirs fits one release of the driver.
    """

    name: str
    worker: str
    reads: Reads
    packages: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()
    on_gpu: bool = False

    @property
    def versions(self) -> dict[str, str]:
        """The version of each package by its name."""
        pins = [package.split("==") for package in (*self.packages, *self.bare)]
        return {name: version for name, version in pins}


WORKERS = "pipeline.engines"
OURS = EngineKind("shufflenet-tvm", f"{WORKERS}.ours_worker", Reads.BUNDLE)
OURS_CUDA = EngineKind("shufflenet-tvm", f"{WORKERS}.cuda_worker", Reads.BUNDLE, on_gpu=True)
REMOTE = EngineKind("shufflenet-tvm", f"{WORKERS}.device_worker", Reads.BUNDLE)
PEAK = EngineKind("fma-peak", f"{WORKERS}.peak_worker", Reads.LOOP)
HANDOVER = EngineKind("hand-over", f"{WORKERS}.handover_worker", Reads.LOOP)
# What engines are measured by, by name.
LOOPS = (PEAK.name, HANDOVER.name)
TORCH = EngineKind("torch", f"{WORKERS}.torch_worker", Reads.MODEL)
# Releases that were made to work together here: a later one may read ONNX or name settings in
# another way, and figures of two runs are comparable with the same release only.
ONNXRUNTIME = ("onnxruntime==1.32.0",)
OPENVINO = ("openvino==2026.4.1",)
NCNN = ("ncnn==1.0.20261020",)
# The converter of the same day. It asks for torch, which its program does not use.
PNNX = ("pnnx==20261020",)
MNN = ("mnn==3.6.1",)
PEERS = {
    kind.name: kind
    for kind in (
        TORCH,
        EngineKind("torch-compile", f"{WORKERS}.torch_compile_worker", Reads.MODEL),
        EngineKind("tvm", f"{WORKERS}.tvm_worker", Reads.MODEL),
        EngineKind("tvm-metaschedule", f"{WORKERS}.tvm_worker", Reads.TUNED),
        EngineKind("onnxruntime", f"{WORKERS}.onnxruntime_worker", Reads.ONNX, ONNXRUNTIME),
        EngineKind("openvino", f"{WORKERS}.openvino_worker", Reads.ONNX, OPENVINO),
        EngineKind("ncnn", f"{WORKERS}.ncnn_worker", Reads.ONNX, NCNN, PNNX),
        EngineKind("mnn", f"{WORKERS}.mnn_worker", Reads.ONNX, MNN),
        EngineKind("torch-cuda", f"{WORKERS}.torch_cuda_worker", Reads.MODEL, on_gpu=True),
        EngineKind("torch-graphs", f"{WORKERS}.torch_graphs_worker", Reads.MODEL, on_gpu=True),
        EngineKind("torch-inductor", f"{WORKERS}.torch_inductor_worker", Reads.MODEL, on_gpu=True),
        EngineKind("tensorrt", f"{WORKERS}.tensorrt_worker", Reads.ONNX, on_gpu=True),
    )
}


ON_CPU = ("torch", "onnxruntime")
ON_GPU = tuple(name for name, kind in PEERS.items() if kind.on_gpu)


def peers_named(names: list[str]) -> list[EngineKind]:
    """The peers of these names, each once; RequestError lists the known ones."""
    for name in names:
        if name not in PEERS:
            raise RequestError(f"unknown peer {name!r}; known: {', '.join(PEERS)}")
    return [PEERS[name] for name in dict.fromkeys(names)]
