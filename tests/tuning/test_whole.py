"""Whole models after tuning."""

from pathlib import Path

import pytest

from pipeline import tune_models as module
from pipeline.compile import Recipe
from pipeline.errors import WorkFailedError
from pipeline.models import InputSpec, load
from pipeline.records import Records, records_path, write_records
from pipeline.targets import host
from pipeline.tune_models import CpuTuner, check_whole, tune_models
from pipeline.tuning import Options

NAME, SPEC = "shufflenet-0.25x-g1", InputSpec(64, 64)


def test_a_model_that_computes_something_else_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, other = load(NAME, SPEC, None, 0), load(NAME, SPEC, None, 1)
    check_whole(model, CpuTuner(host(), tmp_path), seed=7)
    build = module.build
    monkeypatch.setattr(module, "build", lambda _, *rest: build(other, *rest))
    with pytest.raises(WorkFailedError, match=f"{NAME}.* wrong"):
        check_whole(model, CpuTuner(host(), tmp_path), seed=7)


def test_records_of_a_wrong_model_are_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = host().family
    path = write_records(tmp_path, Records(family, {}))
    before = path.read_bytes()

    def spoil(*_: object) -> None:
        records_path(tmp_path, family).write_text("what tuning wrote")

    def wrong(*_: object) -> None:
        raise WorkFailedError("net is wrong")

    monkeypatch.setattr(module, "tune", spoil)
    monkeypatch.setattr(module, "check_whole", wrong)
    with pytest.raises(WorkFailedError, match="net is wrong; the records are as they were before"):
        tune_models([Recipe(NAME, "host", tmp_path, SPEC)], Options(), lambda _: None)
    assert path.read_bytes() == before
