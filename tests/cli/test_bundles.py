"""Bundles: made whole, run without PyTorch, refused when spoilt."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import pipeline
from pipeline.bundle import read_bundle, verify
from pipeline.check import relative_error
from pipeline.errors import RequestError, WorkFailedError
from pipeline.folders import check_place, replaced
from pipeline.manifest import MANIFEST, digest, file_digest
from tests.cli.conftest import MODEL, SIZE

ROOT = Path(pipeline.__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
# A fresh process in which PyTorch cannot be imported.
BLOCKED = "import sys; sys.modules['torch'] = None\n"


def fresh(script, folder):
    command = [sys.executable, "-c", f"import sys; sys.path.append({str(ROOT)!r})\n{script}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def edit(bundle, **changes):
    """Change the manifest and make its checksum right again."""
    fields = json.loads((bundle / MANIFEST).read_text())
    del fields["check"]
    for name, value in changes.items():
        fields[name] = {**fields[name], **value} if isinstance(value, dict) else value
    (bundle / MANIFEST).write_text(json.dumps({**fields, "check": digest(fields)}))


def test_the_manifest_says_what_it_is(made):
    manifest = read_bundle(made).manifest
    assert (manifest.model, manifest.input.shape) == (MODEL, (1, 3, 64, 64))
    assert manifest.output.shape == (1, 1000)
    assert manifest.library_bytes == (made / "model.so").stat().st_size
    assert manifest.schedule_sources.default == 0
    assert manifest.schedule_sources.hand == sum(kernel.calls for kernel in manifest.kernels)
    assert "fma" in manifest.target.features or "asimd" in manifest.target.features


def test_activations_fit_what_the_manifest_says(made):
    # The first convolution's output, 6 channels with a border of one, is only a part of it.
    assert 34 * 34 * 6 * 4 < read_bundle(made).manifest.peak_activation_bytes < 1e6


def test_the_module_after_each_phase_is_written(made):
    dumps = sorted(path.name for path in (made.parent / "ir").iterdir())
    assert dumps == ["1-imported.py", "2-simplified.py", "3-scheduled.py"]


def test_the_lines_of_the_readme_run_a_bundle_without_torch(made):
    lines = README.partition("library = ")
    snippet = (lines[1] + lines[2]).partition("```")[0].replace("224, 224", "64, 64")
    imports = "\nimport numpy as np\nimport tvm\n"
    image = (
        "\nfrom safetensors.numpy import load_file\nstored = load_file('bundle/check.safetensors')"
    )
    save = (
        f"{image}\nnp.save('zeros.npy', logits)"
        "\nnp.save('logits.npy', main(tvm.runtime.tensor(stored['input'])).numpy())"
    )
    done = fresh(BLOCKED + imports + snippet + save, made.parent)
    assert done.returncode == 0, done.stderr
    expected = load_file(made / "check.safetensors")["torch"]
    assert relative_error(np.load(made.parent / "logits.npy"), expected) < 1e-4
    assert np.load(made.parent / "zeros.npy").shape == (1, 1000)


def test_verify_says_good_without_torch(made):
    script = f"sys.argv = ['', 'verify', {str(made)!r}]\nfrom pipeline.__main__ import main; main()"
    done = fresh(BLOCKED + script, made.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert "good" in done.stdout


@pytest.mark.parametrize("name", ["model.so", "check.safetensors", MANIFEST])
def test_a_changed_byte_is_noticed(refused, bundle, name):
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    refused("verify", bundle, saying=(name,))


def test_a_missing_file_is_noticed(refused, bundle):
    (bundle / "model.so").unlink()
    refused("verify", bundle, saying=("no file model.so",))


def test_a_folder_that_is_no_bundle(refused, tmp_path):
    refused("verify", tmp_path, saying=("no bundle", "compile"))
    refused("bench", tmp_path, saying=("no bundle",))


@pytest.mark.parametrize("verb", ["verify", "bench"])
def test_code_for_another_cpu_is_refused_before_it_is_loaded(refused, bundle, verb):
    # Loading this library would fail in another way.
    (bundle / "model.so").write_bytes(b"no library")
    files = {"model.so": file_digest(bundle / "model.so")}
    edit(bundle, files=files, target={"features": ["fma", "amx_tile9"]})
    refused(verb, bundle, saying=("amx_tile9", "lacks"))
    edit(bundle, target={"architecture": "riscv64"})
    refused(verb, bundle, saying=("riscv64",))


def test_a_manifest_of_another_schema(refused, bundle):
    edit(bundle, schema=2)
    refused("verify", bundle, saying=("another version", "schema"))


def test_other_weights_are_refused_for_a_bundle(refused, bundle, tmp_path):
    weights = tmp_path / "w.pth"
    weights.write_bytes(b"other")
    refused("bench", bundle, "--weights", weights, "--peers", "none", saying=("other weights",))


def test_a_wrong_output_is_failed_work(bundle):
    stored = load_file(bundle / "check.safetensors")
    save_file({**stored, "torch": -stored["torch"]}, bundle / "check.safetensors")
    edit(bundle, files={"check.safetensors": file_digest(bundle / "check.safetensors")})
    with pytest.raises(WorkFailedError, match="wrong"):
        verify(read_bundle(bundle))


def test_a_bundle_takes_the_place_of_another(command, bundle):
    words = ["--input-size", SIZE, "--seed", "1", "--out", bundle]
    assert command("compile", MODEL, *words).status == 0
    assert read_bundle(bundle).manifest.weights.seed == 1
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def fail_half_way(place):
    with replaced(place) as draft:
        (draft / "model.so").touch()
        raise OSError("disk full")


def test_a_failure_leaves_the_old_bundle(bundle):
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    with pytest.raises(OSError, match="full"):
        fail_half_way(bundle)
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def test_a_bundle_with_other_files_is_not_replaced(bundle):
    check_place(bundle)
    (bundle / "notes.txt").touch()
    with pytest.raises(RequestError, match=r"notes\.txt"):
        check_place(bundle)
