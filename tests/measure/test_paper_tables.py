"""What is published beside what is measured."""

import pytest

from pipeline.compile import Recipe
from pipeline.errors import RequestError
from pipeline.models import names
from pipeline.models.paper import FIGURES
from pipeline.models.snapdragon import SIZES
from pipeline.paper_tables import complexity_rows, speedup_rows, time_rows
from pipeline.results import Complexity
from pipeline.suites import PAPER, suite_named
from tests.measure.records import result

HERO, RIVAL = "shufflenet-1.0x-g3", "mobilenet-1.0"
RESULTS = [
    result(HERO, p50=2.0),
    result(HERO, engine="torch", p50=10.0),
    result(RIVAL, p50=8.0),
    result(RIVAL, p50=70.0, input_size=(480, 640)),
]


def test_times_stand_beside_the_phone_with_ratios_to_mobilenet():
    rows = time_rows(RESULTS)
    assert rows.headings[4:] == ("shufflenet-tvm", "torch")
    assert rows.cells == [
        (HERO, "224x224", "1", "37.80 (2.91)", "2.00 (4.00)", "10.00"),
        (RIVAL, "224x224", "1", "110.00 (1.00)", "8.00 (1.00)", ""),
        (RIVAL, "480x640", "1", "612.00 (1.00)", "70.00 (1.00)", ""),
    ]


def test_the_actual_speed_up_is_a_share_of_the_theoretical():
    (row,) = speedup_rows(RESULTS).cells
    assert row == (
        "mobilenet-1.0 : shufflenet-1.0x-g3", "224x224", "1", "4.14", "2.91 (70%)",
        "4.00 (97%)", "",
    )  # fmt: skip


def test_errors_are_the_published_ones_and_only_those():
    counted = [
        Complexity(model=name, macs=137_460_672, parameters=1_865_728)
        for name in (HERO, "shufflenet-1.0x-g2", "shufflenet-0.25x-g1")
    ]
    rows = complexity_rows(counted)
    assert rows.headings[-1] == "% top-1 error, published"
    assert [row[-1] for row in rows.cells] == ["32.6", "", ""]
    assert rows.cells[0] == (HERO, "137.5", "137", "1.87", "32.6")


def test_the_suite_is_every_network_of_the_paper_at_three_sizes(tmp_path):
    recipes = PAPER.recipes(Recipe("paper", "host", tmp_path, weights=tmp_path, seed=3))
    assert {(one.spec.height, one.spec.width) for one in recipes} == set(SIZES)
    assert {one.model for one in recipes} == set(PAPER.timed) & set(names())
    assert all(one.seed == 3 for one in recipes)


def test_counted_multiply_adds_are_those_of_the_paper():
    counted = {one.model: one.macs / 1e6 for one in PAPER.complexity()}
    assert counted.keys() == FIGURES.keys() & set(names())
    for name in counted.keys() & {HERO, RIVAL, "shufflenet-2.0x-g3"}:
        assert counted[name] == pytest.approx(FIGURES[name].million_macs, rel=0.005)


def test_an_unknown_suite_is_answered_with_the_known_ones():
    with pytest.raises(RequestError, match="unknown suite 'papers'; known: paper, shuffle"):
        suite_named("papers")
