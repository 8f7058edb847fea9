"""Our engine, made slower by a known share: after each inference it spins for that long."""

import time
from typing import Any

from pipeline.engines.ours_worker import Bundle
from pipeline.engines.worker import Array, serve


class Slowed(Bundle):
    """`source` is {"bundle": FOLDER, "share": 0.05, "seconds": of one inference}."""

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        self.pause = round(source["share"] * source["seconds"] * 1e9)
        return super().load(source, data, threads)

    def infer(self) -> None:
        super().infer()
        end = time.perf_counter_ns() + self.pause
        while time.perf_counter_ns() < end:
            pass


if __name__ == "__main__":
    serve(Slowed)
