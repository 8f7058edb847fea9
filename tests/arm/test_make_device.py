"""The emulated device runs the code beside it."""

from tests.arm.make_device import ROOT, make


def test_a_device_that_another_checkout_made_runs_this_one(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.arm.make_device._make_root", lambda root: root.mkdir())
    monkeypatch.setattr("tests.arm.make_device._make_site", lambda site, wheels: site.mkdir())
    device = make(tmp_path / "device")
    made = device.python.read_text()
    assert f":{ROOT}" in made
    device.python.write_text(made.replace(str(ROOT), "/gone"))
    assert make(tmp_path / "device").python.read_text() == made
    assert device.python.stat().st_mode & 0o100
