"""The result file keeps what is put in, and says what is wrong with a damaged one."""

import json

import pytest

from pipeline.environment import describe_environment
from pipeline.errors import RequestError
from pipeline.result_files import read_results, write_results
from pipeline.results import ResultFile
from tests.measure.records import TUNED, result, result_file


def test_a_file_comes_back_as_it_was_written(tmp_path):
    file = result_file(result(schedule_sources=TUNED), result(engine="torch", p50=17.8))
    write_results(file, tmp_path / "r.json")
    assert read_results(tmp_path / "r.json") == file
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_the_file_has_the_documented_names(tmp_path):
    write_results(result_file(result(schedule_sources=TUNED)), tmp_path / "r.json")
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["schema"] == 1
    assert content["results"][0]["schedule_sources"] == {"tuned": 31, "hand": 4, "default": 0}
    assert set(content["results"][0]["latency_ms"]) == {"n", "min", "p50", "p90", "p99"}


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "r.json"
    write_results(result_file(), path)
    before = path.read_bytes()

    def full_disk(_):
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="no space left"):
        write_results(result_file(result()), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.json"]


def test_a_torn_file_is_a_clear_request_error(tmp_path):
    path = tmp_path / "r.json"
    write_results(result_file(result()), path)
    path.write_text(path.read_text()[:300])
    with pytest.raises(RequestError, match=r"r\.json is no result file: .*shufflenet-tvm bench"):
        read_results(path)


@pytest.mark.parametrize(
    ("change", "place"),
    [({"schema": 2}, "schema"), ({"results": [{}]}, r"results\.0\.model"), ({"odd": 1}, "odd")],
    ids=["schema", "missing", "unknown"],
)
def test_the_first_fault_is_named(change, place, tmp_path):
    path = tmp_path / "r.json"
    content = json.loads(result_file(result()).model_dump_json()) | change
    path.write_text(json.dumps(content))
    with pytest.raises(RequestError, match=place):
        read_results(path)


def test_a_missing_file_or_folder_is_a_request_error(tmp_path):
    with pytest.raises(RequestError, match="cannot read results"):
        read_results(tmp_path / "none.json")
    with pytest.raises(RequestError, match="make it first"):
        write_results(result_file(), tmp_path / "none" / "r.json")


def test_the_environment_of_this_machine_fits_the_file():
    environment = describe_environment({"weights": 0}, {1: 45.3}, {"openvino": "1"})
    assert environment.cpu
    assert environment.versions.keys() >= {"apache-tvm", "torch", "openvino"}
    file = ResultFile(environment=environment, results=[])
    assert ResultFile.model_validate_json(file.model_dump_json()) == file
