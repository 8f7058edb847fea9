"""The server inside the emulated device; its first argument is the program that runs Python."""

import sys

from pipeline.devices.address import parse_tracker
from pipeline.devices.serving import LOCALHOST, Place, run_server

if __name__ == "__main__":
    # TVM starts the process that listens through this name, which has to call the emulator again.
    sys.executable, tracker, key, port = sys.argv[1:]
    run_server(Place(LOCALHOST, int(port), parse_tracker(tracker), key), print)
