"""Kernels that crash, hang or write what they should not."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from tvm.tirx import PrimFunc

from pipeline.build import Lowered
from pipeline.targets import Target
from pipeline.tune import bench
from pipeline.tune.journal import Journal
from pipeline.tune.worker import check
from pipeline.tuning import Budget, conditions, tune

BODIES = {3: "__builtin_trap();", 4: 'for (;;) __asm__ volatile("");'}


def test_crashes_and_endless_kernels_are_failed_candidates(
    layer: Lowered, target: Target, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    right = bench.export

    def export(function: PrimFunc, target: Target, path: Path) -> None:
        """The reference and the hand tile come first, then two kernels that do not return."""
        made.append(path)
        if len(made) in BODIES:
            link(BODIES[len(made)], path)
        else:
            right(function, target, path)

    monkeypatch.setattr(bench, "export", export)
    monkeypatch.setattr(bench, "MEASURE_SECONDS", 2.0)
    summary = tune([layer], target, tmp_path, Budget(trials=4), seed)
    stage = summary.tuned[0]
    assert (stage.trials, stage.failed) == (4, 2)
    journal = Journal(tmp_path, target.family, conditions())
    failures = [t.failure for trials in journal.trials.values() for t in trials if t.failure]
    assert failures[0].startswith("ended by SIG")
    assert failures[1] == "no end within 2 s"


def link(body: str, path: Path) -> None:
    """A library whose kernel is a line of C."""
    source = path.with_suffix(".c")
    source.write_text(
        f"int __tvm_ffi_main(void* s, void* a, int n, void* r) {{ {body} return 0; }}"
    )
    subprocess.run(["cc", "-shared", "-fPIC", str(source), "-o", str(path)], check=True)


EXPECTED = np.array([1.0, np.nan, 2.0], dtype=np.float32)


def test_equal_outputs_pass() -> None:
    check(EXPECTED * np.float32(1 + 1e-6), EXPECTED)


@pytest.mark.parametrize(
    "output",
    [[1.0, 0.0, 2.0], [1.0, np.nan, np.nan], [1.0, np.nan, 2.1], [np.inf, np.nan, 2.0]],
    ids=["writes the border", "misses an element", "wrong value", "infinite"],
)
def test_other_outputs_are_refused(output: list[float]) -> None:
    with pytest.raises(ValueError, match="wrong output"):
        check(np.array(output, dtype=np.float32), EXPECTED)
