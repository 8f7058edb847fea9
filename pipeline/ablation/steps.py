"""The steps of compilation that can be left out, one at a time, and the program without each."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import tvm
from tvm import relax
from tvm.tirx import PrimFunc

from pipeline.ablation.emission import packing_anew, parallel_loops, planes_between
from pipeline.ablation.networks import epilogue_apart, normalisation_apart, shuffle_apart
from pipeline.ablation.tiles import KnownTiles
from pipeline.build import Built, Lowered, Served, apply, by_hand, emitted, laid_out, serve
from pipeline.compiling import UNSCHEDULED, compile_network
from pipeline.operators import Network
from pipeline.passes.emit_calls import PLAIN, Hooks
from pipeline.records import Records
from pipeline.targets import Target
from schedules.cpu.kernel import Kernel
from schedules.cpu.kernel_function import program
from schedules.cpu.prefetch import without_fetches


@dataclass(frozen=True)
class Whole:
    """What every program without a step is made of."""

    network: Network
    target: Target
    records: Records

    @property
    def lowered(self) -> Lowered:
        """The kernels with every step."""
        return laid_out(self.network, self.target)

    @property
    def served(self) -> dict[Kernel, Served]:
        """Their tiles."""
        return {k: serve(k, self.target, self.records) for k in self.lowered.kernels}


@dataclass(frozen=True)
class Program:
    """A program, and how many of its loops run on all cores."""

    built: Built
    loops: int


@dataclass(frozen=True)
class Step:
    """One step by name; `without` says what happens instead, `built` makes that program.

    `tuning` if it is one only where there are tuning records.
    """

    name: str
    what: str
    without: str
    built: Callable[[Whole], Program]
    tuning: bool = False


def whole_program(whole: Whole) -> Program:
    """The program with every step."""
    return _compiled(whole, whole.lowered, whole.served)


def _network(change: Callable[[Network], Network]) -> Callable[[Whole], Program]:
    """The program of another network with the tiles of the whole one."""
    return lambda whole: _with_known_tiles(whole, laid_out(change(whole.network), whole.target))


def _packed_anew(whole: Whole) -> Program:
    return _compiled(whole, whole.lowered, whole.served, packing_anew(whole.lowered))


def _planes_between(whole: Whole) -> Program:
    return _compiled(whole, whole.lowered, whole.served, planes_between())


def _apart(whole: Whole) -> Program:
    """Each stage of a kernel to its end before the next one, and each kernel in a region.

    Kernels whose strips overlap stay whole: what is between their stages is never whole in memory.
    """
    served = {
        k: one if k.overlaps else Served(replace(one.tile, sharing="stages"), one.source)
        for k, one in whole.served.items()
    }
    return _compiled(whole, whole.lowered, served, apart=True)


def _nothing_ahead(whole: Whole) -> Program:
    return _compiled(whole, whole.lowered, whole.served, change=without_fetches)


def _by_hand(whole: Whole) -> Program:
    served = {k: Served(by_hand(k, whole.target), "hand") for k in whole.lowered.kernels}
    return _compiled(whole, whole.lowered, served)


def _unscheduled(whole: Whole) -> Program:
    """Plain loop nests, on one core."""
    functions = {kernel: program(kernel) for kernel in whole.lowered.kernels}
    module, names = emitted(whole.lowered, functions)
    with tvm.transform.PassContext(opt_level=3, config=UNSCHEDULED):
        executable = relax.build(module, whole.target.tvm)
    served = {k: Served(one.tile, "default") for k, one in whole.served.items()}
    return Program(Built(executable, whole.lowered, served, names), 0)


def _with_known_tiles(whole: Whole, lowered: Lowered) -> Program:
    known = KnownTiles(whole.served, whole.target)
    return _compiled(whole, lowered, {k: known.serve(k) for k in lowered.kernels})


def _compiled(  # noqa: PLR0913 - the program, and how it differs
    whole: Whole,
    lowered: Lowered,
    served: dict[Kernel, Served],
    hooks: Hooks = PLAIN,
    *,
    apart: bool = False,
    change: Callable[[PrimFunc], PrimFunc] = lambda function: function,
) -> Program:
    functions = {kernel: change(apply(kernel, one.tile)) for kernel, one in served.items()}
    module, names = emitted(lowered, functions, hooks)
    executable = compile_network(module, whole.target, apart)
    loops = parallel_loops(module, lowered, served)
    return Program(Built(executable, lowered, served, names), loops)


STEPS = (
    Step(
        "fold",
        "batch normalisation folded",
        "a factor and a summand for each channel after every convolution",
        _network(normalisation_apart),
    ),
    Step(
        "epilogue",
        "epilogue fused",
        "ReLU and the sum with the shortcut as passes of their own",
        _network(epilogue_apart),
    ),
    Step(
        "shuffle",
        "shuffle removed",
        "each channel shuffle copies its tensor",
        _network(shuffle_apart),
    ),
    Step("pack", "weights packed", "weights put in order anew in each inference", _packed_anew),
    Step(
        "layout",
        "channels last throughout",
        "each tensor between kernels goes through PyTorch's layout",
        _planes_between,
    ),
    Step(
        "regions",
        "regions fused",
        "each operator a loop on all cores, each kernel a region",
        _apart,
    ),
    Step(
        "ahead",
        "memory fetched ahead",
        "weights and pixels are waited for when they are read",
        _nothing_ahead,
    ),
    Step("tuning", "tiles tuned", "tiles that follow from the machine record", _by_hand, True),
    Step("schedules", "loops scheduled", "plain loop nests, on one core", _unscheduled),
)
