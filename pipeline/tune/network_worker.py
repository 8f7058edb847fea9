"""Times the kernels of several networks in turns, in a process with TVM's runtime alone.

    python -m pipeline.tune.network_worker REQUEST.json REPLY.json

The networks look at the clock between their kernels, and differ in their kernels' tiles only.
"""

import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.engines.aligned import aligned
from pipeline.engines.runtime import load_library, network_of, tensor
from pipeline.profiling.moments import between

FEWEST_ROUNDS = 10


def timed(request: dict[str, Any]) -> dict[str, Any]:
    """Median seconds of every call of each network."""
    image = tensor(aligned(np.load(request["image"])))
    networks = [network_of(load_library(path)) for path in request["libraries"]]
    rounds: list[list[list[float]]] = []
    end = time.monotonic() + request["seconds"]
    gc.disable()
    while time.monotonic() < end or len(rounds) < FEWEST_ROUNDS:
        # Each has the first place as often as the others.
        turn = [(len(rounds) + number) % len(networks) for number in range(len(networks))]
        found = {}
        for number in turn:
            # What another network left in the caches is gone after the first.
            networks[number](image)
            found[number] = between(np.from_dlpack(networks[number](image)[1]))
        rounds.append([found[number] for number in range(len(networks))])
    return {"seconds": np.median(rounds, axis=0).tolist()}


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(timed(json.loads(Path(sys.argv[1]).read_text()))))
