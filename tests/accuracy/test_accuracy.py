"""Scores of a network that was trained on real images, and folders that are no use."""

import json

import numpy as np
import pytest
from PIL import Image

from pipeline.accuracy.image_folder import pixels, read_image_folder, spread
from pipeline.accuracy.score import Answers, share
from pipeline.errors import RequestError
from tests.accuracy.digits import CLASSES, MODEL, SIDE, learn, write_digits
from tests.cli.conftest import command, refused  # noqa: F401 - fixtures

SIZE = ["--input-size", f"{SIDE}x{SIDE}", "--classes", CLASSES]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("digits"))


def test_a_trained_network_is_right_compiled_as_in_pytorch(command, digits, tmp_path):  # noqa: F811
    to_learn, to_score = digits
    weights, path = tmp_path / "digits.safetensors", tmp_path / "a.json"
    learn(to_learn, weights)
    words = [MODEL, "--weights", weights, "--data", to_score, "--json", path, *SIZE]
    outcome = command("accuracy", *words, "--batch", 4)
    assert outcome.status == 0, outcome.err
    scored = json.loads(path.read_text())
    images = len(read_image_folder(to_score).images)
    assert (scored["images"], scored["classes"]) == (images, CLASSES)
    torch, ours = scored["scores"]
    assert (torch["engine"], ours["engine"]) == ("torch", "shufflenet-tvm")
    assert torch["top1"]["share"] > 0.9
    assert torch["top5"]["share"] > 0.98
    assert ours == torch | {"engine": "shufflenet-tvm"}
    assert scored["agreement"] == 1.0
    assert scored["max_relative_error"] < 1e-4
    assert f"{torch['top1']['share']:.2%}" in outcome.out


def test_another_number_of_classes_is_refused(refused, digits):  # noqa: F811
    _, to_score = digits
    words = [MODEL, "--data", to_score, "--input-size", f"{SIDE}x{SIDE}"]
    refused("accuracy", *words, saying=("10 classes", "1000", "--classes 10"))


def test_a_folder_without_images_is_refused(refused, tmp_path):  # noqa: F811
    refused("accuracy", MODEL, "--data", tmp_path / "none", saying=("no folder",))
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    refused("accuracy", MODEL, "--data", tmp_path, saying=("has no images", ".png"))
    refused("accuracy", MODEL, "--data", tmp_path, "--images", 0, saying=("say nothing",))


def test_a_torn_image_is_named(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    with pytest.raises(RequestError, match=r"a\.png"):
        pixels(tmp_path / "a.png", 64, 64)


@pytest.mark.parametrize(("width", "height"), [(40, 30), (224, 224), (31, 300), (1, 1)])
def test_the_middle_of_an_image_is_cut_out_and_normalised(tmp_path, width, height):
    rows = np.linspace(0, 255, height, dtype="uint8")[:, None, None]
    Image.fromarray(np.broadcast_to(rows, (height, width, 3)).copy()).save(tmp_path / "a.png")
    image = pixels(tmp_path / "a.png", 96, 64)
    assert image.shape == (3, 96, 64)
    assert image.dtype == np.float32
    back = image * np.array([0.229, 0.224, 0.225])[:, None, None]
    back += np.array([0.485, 0.456, 0.406])[:, None, None]
    assert back.min() >= -1e-6
    assert back.max() <= 1 + 1e-6
    np.testing.assert_allclose(back[0], back[2], atol=1e-6)
    assert (np.diff(back[0].mean(axis=1)) >= -1e-6).all()


def test_colours_keep_their_planes(tmp_path):
    Image.new("RGB", (80, 80), (255, 102, 0)).save(tmp_path / "a.png")
    image = pixels(tmp_path / "a.png", 64, 64)
    # (colour / 255 - mean) / deviation of red, green and blue, worked out by hand.
    np.testing.assert_allclose(image[:, 5, 7], [2.2489, -0.25, -1.8044], atol=1e-4)


def test_images_are_taken_evenly_from_all_classes(digits):
    images = read_image_folder(digits[1]).images
    assert spread(images, None) == images == spread(images, 10**6)
    few = spread(images, 20)
    assert len(few) == 20
    assert {image.label for image in few} == set(range(CLASSES))


def test_answers_are_counted_by_rank():
    answers = Answers()
    logits = np.array([[9.0, 1, 2, 3, 4, 5, 6], [9, 1, 2, 3, 4, 5, 6], [np.nan] * 7])
    answers.add(logits, np.array([0, 3, 6]))
    scored = answers.score("e")
    assert (scored.top1.right, scored.top5.right) == (1, 2)


def test_intervals_hold_the_share():
    # Wilson's interval of 8 of 10, worked out by hand.
    found = share(8, 10)
    assert (found.share, round(found.low, 3), round(found.high, 3)) == (0.8, 0.49, 0.943)
