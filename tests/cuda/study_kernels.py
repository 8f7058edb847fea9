"""What every kernel of many networks is on every GPU: spills, occupancy, addresses, bytes, time.

    python -m tests.cuda.study_kernels [MODEL,...] [GPU,...] [BATCH,...] [float32,float16]

Ends with status 1 if a kernel spills or is limited by occupancy.
"""

import itertools
import sys
import time

from pipeline.build import read_network
from pipeline.gpu.analysis import GpuReport, analyze
from pipeline.gpu.build import BuiltGpu, schedule_network
from pipeline.gpu.compilers import compiler_named
from pipeline.models import InputSpec, load
from pipeline.targets import DTYPES, gpu_target
from pipeline.targets.gpu import GPUS

MODELS = (
    "shufflenet-1.0x-g3", "mobilenet-1.0", "shufflenet-1.0x-g1", "shufflenet-1.0x-g2",
    "shufflenet-1.0x-g4", "shufflenet-1.0x-g8", "shufflenet-0.5x-g3", "shufflenet-1.5x-g3",
    "shufflenet-2.0x-g3", "shufflenet-2.0x-g3-se", "shufflenet-0.5x-g3-shallow", "mobilenet-0.5",
)  # fmt: skip
BATCHES = (1, 128)


def line_of(report: GpuReport, seconds: float) -> str:
    """The facts of a network in one line."""
    kernels = report.kernels
    spilled = sum(one.spilled_bytes for one in kernels)
    limited = [one.function for one in kernels if one.limited]
    scattered = sorted({name for one in kernels for name in one.uncoalesced_tensors})
    return (
        f"{report.model} {report.target} {report.dtype} batch {report.batch}: "
        f"{report.kernel_calls} kernels, "
        f"{spilled} bytes spilled, limited {limited or 'none'}, uncoalesced {scattered or 'none'}, "
        f"{report.device_bytes / report.device_bytes_apart:.2f} of the bytes, registers at most "
        f"{max(one.registers for one in kernels)}, modelled bound "
        f"{report.modelled_bound_seconds * 1e6:.1f} us; built in {seconds:.0f} s"
    )


def study(models: list[str], gpus: list[str], batches: list[int], dtypes: list[str]) -> bool:
    """Print a line for each; whether no kernel spills or is limited."""
    compiler, good = compiler_named("auto"), True
    for model in models:
        for batch in batches:
            network = read_network(load(model, InputSpec(224, 224, batch)))
            for gpu, dtype in itertools.product(gpus, dtypes):
                begun, target = time.monotonic(), gpu_target(gpu, dtype)
                scheduled = schedule_network(network, target)
                code = compiler.compile(scheduled.source, target.architectures)
                seconds = time.monotonic() - begun
                report = analyze(BuiltGpu(scheduled, code), target.gpu, model, batch)
                print(line_of(report, seconds), flush=True)
                good &= not any(one.spilled_bytes or one.limited for one in report.kernels)
    return good


if __name__ == "__main__":
    words = [word.split(",") for word in sys.argv[1:]]
    usual = [list(MODELS), list(GPUS), [str(batch) for batch in BATCHES], list(DTYPES)]
    models, gpus, batches, dtypes = [*words, *usual[len(words) :]]
    sys.exit(not study(models, gpus, [int(batch) for batch in batches], dtypes))
