"""An engine that misbehaves on request: the keys of its source say how."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from pipeline.engines.worker import Array, serve


class Fake:
    """Doubles its input; `source` may ask for rubbish, refuse, hang, die, spin or spoil it.

    In the file `tally` is an x for each time it was loaded, of which `loads` are allowed.
    """

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        self.source = source
        if "rubbish" in source:
            sys.stdout.write('{"settings": {"from": "rubbish"}}\n')
            sys.stdout.flush()
            os.write(1, b"written past Python's streams\n")
        if "refuse" in source:
            raise ValueError("not a model\nand a second line")
        if "tally" in source:
            tally = Path(source["tally"])
            tally.write_text(f"{tally.read_text() if tally.exists() else ''}x")
            if len(tally.read_text()) > source.get("loads", 99):
                raise ValueError("once too often")
        return {"threads": str(threads), "omp": os.environ["OMP_NUM_THREADS"]}

    def set_input(self, data: Array) -> None:
        self.data = data

    def infer(self) -> None:
        if "hang" in self.source:
            time.sleep(600)  # longer than any deadline; the parent ends the process
        if "die" in self.source:
            os.write(2, b"out of luck\n")
            os.kill(os.getpid(), signal.SIGSEGV)
        end = time.perf_counter() + self.source.get("seconds", 0.001)
        while time.perf_counter() < end:
            pass
        self.result = self.data * self.source.get("factor", 2)
        if "spoil" in self.source:
            self.data = self.result

    def output(self) -> Array:
        return self.result


if __name__ == "__main__":
    serve(Fake)
