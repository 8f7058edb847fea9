"""The last choice of tiles: among the best of each kernel, by what they take in the networks.

    network 1:  every kernel with the tile that is its fastest alone
    network 2:  every kernel with its second                            in turns, by the clock
    ...                                                                 between their kernels

A kernel that runs again and again finds in the caches what it left there, and has no other before
it; tiles that are as fast as each other alone differ by some per cent in a network. What one kernel
leaves to the next hardly depends on its tile: so one network for each place tells of all kernels.
Of the same two tiles now the one and now the other is up to 3 % faster, from process to process, as
measured on Zen 4 with three for each network: so several have their say.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from pathlib import Path

import numpy as np

from pipeline.build import Lowered, apply
from pipeline.engines.process import THREAD_VARIABLES
from pipeline.linker import linker_for
from pipeline.profiling.stamps import stamped
from pipeline.records import Record, canonical, describe_kernel
from pipeline.reply import reply_of
from pipeline.targets import Target
from pipeline.tile_fields import TileFields, kernel_tile
from pipeline.tune.entries import Final
from pipeline.tune.search import Search

WORKER = "pipeline.tune.network_worker"
# Tiles of a kernel that compete, none of which is this much slower alone than the fastest, unless
# it was recorded before.
COMPETITORS = 4
NEAR = 1.06
# A lead below this is within the noise of that: medians of some hundred inferences.
LEAD = 1.003
# Processes that time the networks, one after the other.
PROCESSES = 3


@dataclass(frozen=True)
class Networks:
    """Networks for a target in which tiles compete, with each of these numbers of threads for so
    many seconds."""

    lowered: Sequence[Lowered]
    target: Target
    threads: Sequence[int]
    seconds: float

    def fastest(
        self, tiles: Mapping[str, Sequence[TileFields]], told: Callable[[int], None]
    ) -> dict[str, int]:
        """The number of the fastest tile of each kernel, by its workload as text.

        It is the first unless another leads in each of several processes, clearly on average, in
        the geometric mean of the networks that have the kernel and all numbers of threads. `told`
        hears how many networks are done. WorkFailedError if one does not run.
        """
        logs: dict[str, list[np.ndarray]] = {}
        for done, lowered in enumerate(self.lowered):
            told(done)
            keys = [canonical(describe_kernel(call.kernel)) for call in lowered.calls]
            for seconds in self._seconds(lowered, tiles):
                for key in dict.fromkeys(keys):
                    own = [number for number, other in enumerate(keys) if other == key]
                    taken = seconds[:, : len(tiles[key]), own].sum(axis=-1)
                    logs.setdefault(key, []).append(np.log(taken))
        return {key: leader(np.mean(own, axis=0)) for key, own in logs.items()}

    def _seconds(
        self, lowered: Lowered, tiles: Mapping[str, Sequence[TileFields]]
    ) -> Iterator[np.ndarray]:
        """Seconds [process, place, call] of a network, with each number of threads."""
        keys = {kernel: canonical(describe_kernel(kernel)) for kernel in lowered.kernels}
        places = max(len(tiles[key]) for key in keys.values())
        link = linker_for(self.target).link
        with tempfile.TemporaryDirectory(prefix="shufflenet-tvm-") as name:
            folder = Path(name)
            libraries = []
            for place in range(places):
                functions = {}
                for kernel, key in keys.items():
                    own = tiles[key]
                    fields = own[min(place, len(own) - 1)]
                    functions[kernel] = apply(kernel, kernel_tile(kernel, fields))
                library = folder / f"{place}.so"
                made = stamped(lowered, functions, self.target)
                made.executable.export_library(str(library), fcompile=link)
                libraries.append(str(library))
            image = folder / "image.npy"
            shape = lowered.network.shapes[lowered.network.source]
            np.save(image, np.random.default_rng(0).standard_normal(shape, dtype="float32"))
            for threads in self.threads:
                environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))
                environment["TVM_BIND_THREADS"] = "1"
                each = self.seconds / PROCESSES
                request = {"libraries": libraries, "image": str(image), "seconds": each}
                replies = [reply_of(WORKER, request, folder, environment) for _ in range(PROCESSES)]
                yield np.array([reply["seconds"] for reply in replies])


def competitors(final: Final, search: Search, record: Record | None) -> list[TileFields]:
    """The tiles of a kernel that compete: what is on record, unless it failed, the winner alone,
    some that are not much slower, the fastest first, and of those the hand tile; and whatever was
    recorded before.

    That has been the fastest in networks, however slow it is alone.
    """
    limit = (search.valid[0].seconds or 0.0) * NEAR if search.valid else 0.0
    near = [trial.tile for trial in search.valid if (trial.seconds or 0.0) <= limit]
    failed = [trial.tile for trial in search.failed]
    tiles = [] if record is None or record.tile in failed else [record.tile]
    tiles += [final.tile, *[tile for tile in near if tile != final.tile][: COMPETITORS - 1]]
    tiles += [tile for tile in near if tile == search.hand_tile]
    tiles += [trial.tile for trial in search.valid if trial.tile in search.recorded]
    return list({canonical(tile): tile for tile in tiles}.values())


def decided_on(tile: TileFields, final: Final, search: Search) -> Final:
    """What a task came to if it takes a tile, with the time of that alone."""
    if tile == final.tile:
        return final
    trial = search.trials[canonical(tile)]
    return replace(final, tile=tile, seconds=trial.seconds or final.seconds)


def leader(logs: np.ndarray) -> int:
    """The number of the least logarithm of a time [process, place] on average, or the first if that
    does not lead clearly, and in each process."""
    average = logs.mean(axis=0)
    best = int(average.argmin())
    leads = bool((logs[:, best] < logs[:, 0]).all())
    return best if leads and average[0] - average[best] > log(LEAD) else 0
