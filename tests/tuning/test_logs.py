"""Looking at logs, and moving them between folders, families and targets."""

import shutil
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from pipeline.build import Lowered, serve
from pipeline.coverage import coverage_text, require_tuned, untuned_lines
from pipeline.errors import RequestError
from pipeline.manifest import KernelEntry
from pipeline.records import (
    Records,
    canonical,
    describe_kernel,
    describe_work,
    read_records,
    records_path,
    write_records,
)
from pipeline.targets import Target, is_gpu, names, target_named
from pipeline.tile_fields import TileFields, stage_fields
from pipeline.tune.entries import Trial
from pipeline.tune.journal import Journal, journal_path
from pipeline.tune.logs import list_logs, show_candidates, show_tasks
from pipeline.tune.moves import export_records, import_records, merge_journals, prune
from pipeline.tune.status import describe_runs
from pipeline.tuning import tune
from schedules.cpu.operators import operator
from schedules.cpu.tiles import hand_tile
from tests.tuning.conftest import history, lowered, options, pointwise


@pytest.fixture(scope="module")
def tuned(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs of one small layer."""
    folder: Path = tmp_path_factory.mktemp("tuned")
    layer = lowered(pointwise(target, 3, (5, 20), (4, 5)))
    tune([layer], target, folder, options(4, request="small"))
    return folder


def test_what_there_is(tuned: Path, target: Target) -> None:
    (row,) = list_logs(tuned)
    assert (row["family"], row["records"], row["tasks"]) == (target.family, 2, 2)
    assert row["running"] == "no"
    stage, kernel = show_tasks(tuned, target.family)
    assert (stage["kind"], stage["measured"], stage["failed"]) == ("stage", 4, 0)
    assert kernel["final"]
    candidates = show_candidates(tuned, target.family, stage["task"])
    assert next(one["origin"] for one in candidates) == "hand"
    (run,) = describe_runs(tuned)
    assert (run["run"], run["request"], run["tasks"]) == ("ended", "small", "2 of 2")


def test_names_that_are_not_there(tuned: Path, target: Target, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=f"there: {target.family}"):
        show_tasks(tuned, "other")
    with pytest.raises(RequestError, match="list them"):
        show_candidates(tuned, target.family, "ffff")
    with pytest.raises(RequestError, match="make some"):
        list_logs(tmp_path)
    with pytest.raises(RequestError, match="begin one"):
        describe_runs(tmp_path)


def test_records_are_exported_as_they_were_written(
    tuned: Path, target: Target, tmp_path: Path
) -> None:
    assert export_records(tuned, target.family, tmp_path) == 2
    assert read_records(tmp_path, target.family) == read_records(tuned, target.family)


def test_imported_records_are_measured_again(
    tuned: Path, target: Target, layer: Lowered, tmp_path: Path
) -> None:
    path = records_path(tuned, target.family)
    assert import_records(tmp_path, [path], None) == {target.family: 2}
    assert not read_records(tmp_path, target.family).by_key
    summary = tune([layer], target, tmp_path, options(2))
    assert summary.tally.measured > 1
    tiles = [trial.tile for trial in stages(tmp_path, target)]
    imported = read_records(tuned, target.family).stage(layer.kernels[0].stages[0].work)
    # The tile by hand is measured first, and may be the one that was recorded.
    assert imported in tiles[:2]


def test_merged_candidates_are_starting_points_and_count_for_nothing(
    tuned: Path, target: Target, layer: Lowered, tmp_path: Path
) -> None:
    counts = merge_journals(tmp_path, [journal_path(tuned, target.family)])
    assert counts[target.family] >= 8
    assert not history(tmp_path, target).trials
    summary = tune([layer], target, tmp_path, options(4))
    assert summary.tuned[0].trials == 4
    origins = [trial.candidate.origin for trial in stages(tmp_path, target)]
    assert origins == ["hand", "record", "record", "record"]


def stages(folder: Path, target: Target) -> list[Trial]:
    """The candidates of operators, in order."""
    return [trial for trial in history(folder, target).trials if "vectors" in trial.tile]


def test_failures_are_pruned_to_be_tried_again(tuned: Path, target: Target, tmp_path: Path) -> None:
    shutil.copytree(tuned, tmp_path / "copy")
    assert prune(tmp_path / "copy", target.family, failures=False) == 0
    with Journal(tmp_path / "copy", target.family) as journal, journal.file.change():
        row = journal.file.rows("results")[-1]
        journal.file.put("results", (row[0], None, "crashed", *row[3:]))
    assert prune(tmp_path / "copy", target.family, failures=True) == 1


# Only CPUs have records.
TARGETS = [target_named(name) for name in names() if not is_gpu(name)]


@pytest.mark.parametrize(("one", "other"), list(permutations(TARGETS, 2)), ids=lambda t: t.name)
def test_records_of_one_target_are_never_used_for_another(
    tuned: Path, target: Target, tmp_path: Path, one: Target, other: Target
) -> None:
    if one.family == other.family:
        pytest.skip("one kind of machine")
    mine = read_records(tuned, target.family).by_key
    records = {key: replace(record, family=one.family) for key, record in mine.items()}
    write_records(tmp_path, Records(one.family, records))
    assert not read_records(tmp_path, other.family).by_key
    # Not as a renamed file, and not as lines in another's file either.
    shutil.copy(records_path(tmp_path, one.family), records_path(tmp_path, other.family))
    with pytest.raises(RequestError, match=f"not for {other.family}"):
        read_records(tmp_path, other.family)
    write_records(tmp_path, Records(other.family, records))
    with pytest.raises(RequestError, match="another target"):
        read_records(tmp_path, other.family)


def test_a_record_of_another_tvm_is_kept_and_not_used(
    tuned: Path, target: Target, layer: Lowered, tmp_path: Path
) -> None:
    mine = read_records(tuned, target.family).by_key
    old = {key: replace(record, tvm="0.1") for key, record in mine.items()}
    write_records(tmp_path, Records(target.family, old))
    records = read_records(tmp_path, target.family)
    assert (records.by_key, len(records.outdated)) == ({}, 2)
    assert serve(layer.kernels[0], target, records).source == "hand"


@pytest.mark.parametrize("change", [{"strip_rows": 99}, {"sharing": 1}, {"stages": [{"rows": 1}]}])
def test_a_record_that_does_not_fit_is_refused(
    tuned: Path, target: Target, layer: Lowered, change: TileFields
) -> None:
    (kernel,) = layer.kernels
    records = read_records(tuned, target.family)
    assert serve(kernel, target, records).source == "tuned"
    key = canonical(describe_kernel(kernel))
    tile = {**records.by_key[key].tile, **change}
    spoilt = {**records.by_key, key: replace(records.by_key[key], tile=tile)}
    served = serve(kernel, target, Records(target.family, spoilt))
    assert (served.source, served.refused) == ("hand", f"tile {tile} does not fit")


def test_stages_take_their_own_records_where_the_kernel_has_none(
    tuned: Path, target: Target, layer: Lowered
) -> None:
    (kernel,) = layer.kernels
    (stage,) = kernel.stages
    module = operator(stage.work)
    hand = stage_fields(stage, hand_tile(kernel, target.machine).stages[0])
    names = hand.keys()
    fitting = module.tiles_that_fit(stage.work, target.machine)
    other = next(tile for one in fitting if (tile := dict(zip(names, one, strict=True))) != hand)
    mine = read_records(tuned, target.family).by_key
    key = canonical(describe_work(stage.work))
    for fields, expected in [(other, other), ({"columns": 99, "vectors": 1}, hand)]:
        alone = Records(target.family, {key: replace(mine[key], tile=fields)})
        served = serve(kernel, target, alone)
        assert served.source == "hand"
        assert stage_fields(stage, served.tile.stages[0]) == expected


def entry(
    source: str, calls: int, seconds: float | None, refused: str | None = None
) -> KernelEntry:
    return KernelEntry(
        function=f"kernel_{source}", calls=calls, source=source, strip_rows=1, sharing="strips",
        stages=[], seconds=seconds, refused=refused,
    )  # fmt: skip


def test_coverage_tells_shares_where_all_times_are_known() -> None:
    every = [entry("tuned", 3, 1.0), entry("hand", 1, 1.0)]
    assert coverage_text(every).startswith("3 tuned (75% of the time), 1 hand (25%")
    some = [entry("tuned", 3, 1.0), entry("hand", 1, None, "no such tile")]
    assert coverage_text(some) == "3 tuned, 1 hand, 0 default, of which 1 with a refused record"
    assert untuned_lines(some) == ["hand: kernel_hand, 1 call: record refused: no such tile"]
    with pytest.raises(RequestError, match=r"1 of 2 kernels .* tune m --target host"):
        require_tuned(some, "m", "host")
    require_tuned(every[:1], "m", "host")
