"""ncnn on the CPU in float32, from ONNX by its own converter, pnnx.

Everything else is as ncnn's own benchmark program has it: memory from pools, blobs recycled, all
cores, one fixed number of threads.
"""

import tempfile
from pathlib import Path
from typing import Any

import ncnn  # type: ignore[import-not-found]
import numpy as np

from pipeline.engines.conversion import convert
from pipeline.engines.worker import Array, serve

# The wheel of pnnx is a program with a Python wrapper that asks for torch; the program does not.
PNNX = Path(ncnn.__file__).parent.parent / "pnnx" / "pnnx"
SETTINGS = {
    # Storage in 16 bits is on as ncnn comes, and would no longer be float32.
    "use_fp16_packed": False,
    "use_fp16_storage": False,
    "use_fp16_arithmetic": False,
    "use_bf16_packed": False,
    "use_bf16_storage": False,
    "use_packing_layout": True,
    "use_winograd_convolution": True,
    "use_sgemm_convolution": True,
    "use_vulkan_compute": False,
    "lightmode": True,
}
ALL_CORES = 0


class Net:
    """`source` is {"onnx": FILE}."""

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        self.net = ncnn.Net()
        # Pools without locks are for what one thread asks for, as this one does for the blobs.
        self.blobs, self.workspace = ncnn.UnlockedPoolAllocator(), ncnn.PoolAllocator()
        for name, value in SETTINGS.items():
            setattr(self.net.opt, name, value)
        self.net.opt.num_threads = threads
        self.net.opt.blob_allocator = self.blobs
        self.net.opt.workspace_allocator = self.workspace
        ncnn.set_cpu_powersave(ALL_CORES)
        ncnn.set_omp_dynamic(0)
        ncnn.set_omp_num_threads(threads)
        with tempfile.TemporaryDirectory(prefix="shufflenet-tvm-") as folder:
            self._read(_converted(Path(source["onnx"]), data, Path(folder)))
        chosen = {name: str(value).lower() for name, value in SETTINGS.items()}
        return chosen | {"allocators": "pools", "version": ncnn.__version__}

    def set_input(self, data: Array) -> None:
        # The clone has the rows and planes aligned as ncnn's kernels expect them.
        self.data = ncnn.Mat(np.ascontiguousarray(data), batch_index=0).clone()

    def infer(self) -> None:
        extractor = self.net.create_extractor()
        extractor.input(self.net.input_names()[0], self.data)
        _, self.result = extractor.extract(self.net.output_names()[0])

    def output(self) -> Array:
        return np.array(self.result.numpy(batch_index=0))

    def _read(self, stem: Path) -> None:
        if self.net.load_param(f"{stem}.param") or self.net.load_model(f"{stem}.bin"):
            raise RuntimeError("ncnn does not load what pnnx made of the ONNX file")


def _converted(onnx: Path, data: Array, folder: Path) -> Path:
    """The path of a `.param` and a `.bin`, without the ending."""
    # pnnx writes a dozen files beside what it reads, by the same name.
    (folder / "model.onnx").symlink_to(onnx.resolve())
    shape = ",".join(map(str, data.shape))
    # It keeps weights in 16 bits unless told otherwise.
    command = [str(PNNX), "model.onnx", f"inputshape=[{shape}]f32", "fp16=0"]
    convert(command, folder / "model.ncnn.bin")
    return folder / "model.ncnn"


if __name__ == "__main__":
    serve(Net)
