"""Everything here runs on the GPU of this machine: `make test-gpu`."""

import pytest
import tvm

from pipeline.errors import RequestError
from pipeline.gpu.local import require_gpu
from schedules.gpu import Gpu


@pytest.fixture(scope="session")
def gpu() -> Gpu:
    """The GPU of this machine; without one these tests fail, as they were asked for by name."""
    try:
        return require_gpu("make test-gpu")
    except RequestError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="session")
def device(gpu: Gpu):
    """It as a device of the runtime."""
    return tvm.cuda(0)
