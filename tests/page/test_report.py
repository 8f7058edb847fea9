"""What a report holds, its figures as files, and what it refuses."""

import json
import re

import pytest

from pipeline.errors import RequestError
from pipeline.page.common_columns import without_common_columns
from pipeline.page.evidence import read_evidence
from pipeline.page.figures import figures, write_figures
from pipeline.page.page import markdown, page
from pipeline.page.sections import facts, sections
from pipeline.profiling.records import ProfileFile
from pipeline.result_files import write_results
from pipeline.rows import Rows
from tests.measure.records import result, result_file
from tests.page.conftest import profile


@pytest.fixture
def written(tmp_path):
    """A result file and a profile."""
    rows = [result(), result("mobilenet-1.0", p50=8.0), result(engine="torch", p50=9.0)]
    file = result_file(*rows)
    profiles = ProfileFile(environment=file.environment, profiles=[profile("mobilenet-1.0")])
    paths = tmp_path / "r.json", tmp_path / "p.json"
    write_results(file, paths[0])
    write_results(profiles, paths[1])
    return paths


def test_results_and_profiles_are_told_apart(written):
    found = read_evidence(written)
    assert [one.model for one in found.profiles] == ["mobilenet-1.0"]
    assert len(found.results) == 3
    names = [part.name for part in sections(found)]
    assert names == ["head-to-head", "ratio", "latency-figure", "layers", "roofline-figure",
                     "memory", "conditions"]  # fmt: skip


def test_without_profiles_there_are_no_empty_parts(written):
    parts = sections(read_evidence(written[:1]))
    assert [part.name for part in parts] == [
        "head-to-head", "ratio", "latency-figure", "conditions",
    ]  # fmt: skip


def test_the_figures_at_the_top_are_those_of_the_results(written):
    shown = [one.figure for one in facts(read_evidence(written))]
    assert shown == ["2.00 ms", "4.50\u00d7", "8.00 ms", "4.00\u00d7"]


def test_of_a_setting_that_two_files_have_the_last_counts(written, tmp_path):
    later = tmp_path / "later.json"
    write_results(result_file(result(p50=1.0)), later)
    found = read_evidence([*written, later])
    (ours,) = [one for one in found.results if one.setting == result().setting]
    assert ours.latency_ms.p50 == 1.0


def test_files_of_different_cpus_are_refused(written, tmp_path):
    file = result_file(result())
    other = file.environment.model_copy(update={"cpu": "another"})
    path = tmp_path / "other.json"
    write_results(file.model_copy(update={"environment": other}), path)
    with pytest.raises(RequestError, match="different CPUs"):
        read_evidence([*written, path])


def test_names_cannot_end_a_script(written):
    path = written[0]
    text = path.read_text().replace('"torch"', '"</script><b>torch"')
    path.write_text(text)
    html = page(read_evidence(written))
    assert "</script><b>" not in html
    data = re.search(r'id="figures">(.*?)</script>', html, re.DOTALL)
    assert "</script><b>torch" in json.dumps(json.loads(data.group(1)))


def test_the_page_names_nothing_on_a_network(written):
    html = page(read_evidence(written))
    assert not re.search(r"""(src|href)=["'](https?:)?//""", html)


def test_figures_are_written_as_svg_and_png(evidence, tmp_path):
    drawn = figures(evidence)
    paths = write_figures(drawn[:2], tmp_path / "figures")
    assert [path.name for path in paths] == [
        "latency.svg", "latency.png", "roofline.svg", "roofline.png",
    ]  # fmt: skip
    assert paths[0].read_text().startswith("<svg")
    assert paths[1].read_bytes().startswith(b"\x89PNG")


def test_a_column_is_left_out_where_every_row_says_the_same():
    cells = [("a", "8x8", "1", ""), ("a", "8x8", "2", "")]
    rows = Rows("t", ("model", "input", "threads", "note"), cells)
    assert without_common_columns(rows) == (
        Rows("t", ("model", "threads"), [("a", "1"), ("a", "2")]), "input 8x8"
    )  # fmt: skip
    single = Rows("t", ("model", "input"), [("a", "8x8")])
    assert without_common_columns(single) == (single, "")


def test_markdown_links_to_the_figures(evidence):
    text = markdown(evidence, figures(evidence), "figures")
    assert "![Time against multiply-adds](figures/latency.svg)" in text
    assert "| mobilenet-1.0 |" in text
    assert "- processor: a CPU" in text


def test_no_name_stands_twice_on_the_page(evidence):
    named = re.findall(r' id="([^"]+)"', page(evidence))
    assert len(named) == len(set(named))
    assert {"ablation", "steps", "shuffle", "paper"} <= set(named)
