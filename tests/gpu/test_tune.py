"""Tuning on a GPU: few trials of a small network, its records, and a bundle with them."""

from collections import Counter
from pathlib import Path

import pytest

from pipeline.bundle import verify
from pipeline.compile import Recipe, compile_bundle
from pipeline.models import InputSpec
from pipeline.records import read_records
from pipeline.tune_models import tune_models, tuner_of
from pipeline.tuning import Budget, Options, Progress

pytestmark = pytest.mark.gpu
SPEC = InputSpec(64, 64, classes=10)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_network_is_tuned_and_compiled_with_what_was_found(
    dtype: str, gpu, tmp_path: Path
) -> None:
    recipe = Recipe("shufflenet-0.25x-g4-se", "cuda", tmp_path / "logs", SPEC, dtype=dtype)
    told: list[Progress] = []
    summary = tune_models([recipe], Options(Budget(trials=4)), told.append, print)
    print(summary.tally)
    assert summary.tally.measured == 4 * summary.tasks
    assert summary.tally.failed == 0
    for record in summary.tuned:
        assert record.hand_seconds is not None
        assert record.seconds <= record.hand_seconds
        # No kernel of this network takes less than the launch of an empty one, or a millisecond.
        assert 2e-7 < record.seconds < 1e-3, record
    again = tune_models([recipe], Options(Budget(trials=4)), told.append)
    assert (again.tally.measured, again.tuned) == (0, summary.tuned)

    assert len(read_records(recipe.logs, tuner_of(recipe).family).by_key) == summary.tasks
    bundle = compile_bundle(recipe, tmp_path / "bundle").bundle
    assert Counter(one.source for one in bundle.manifest.kernels).keys() == {"tuned"}
    verify(bundle)
