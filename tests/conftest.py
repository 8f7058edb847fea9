"""One thread unless a test says otherwise, so that tests may run side by side."""

import os

os.environ.setdefault("TVM_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser):
    parser.addoption(
        "--require-device", action="store_true", help="fail where no emulated device can be had"
    )
