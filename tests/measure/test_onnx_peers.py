"""The peers that read ONNX, where they are installed: each computes what PyTorch computes."""

import dataclasses
import logging
import os
from pathlib import Path

import pytest
import torch

from pipeline.check import compare, random_inputs, require_agreement
from pipeline.engines.pipe import EngineError
from pipeline.engines.process import EngineProcess
from pipeline.engines.registry import PEERS, Reads
from pipeline.models import InputSpec, load
from pipeline.peers import export_onnx, is_installed, peer_python, peers_folder

FOLDER = peers_folder(os.environ)
SEED = 11
# Odd sides leave rows that fill no vector and no alignment; squeezing adds gates and products.
MODEL, SPEC = "shufflenet-0.25x-g3-se", InputSpec(67, 101, batch=2)


def installed(name):
    if not is_installed(PEERS[name], FOLDER):
        pytest.skip(f"not installed; first run: shufflenet-tvm bench {MODEL} --peers {name}")
    return peer_python(PEERS[name], FOLDER)


@pytest.fixture(scope="module")
def onnx(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    source = {"model": MODEL, "spec": dataclasses.asdict(SPEC), "weights": None, "seed": SEED}
    export_onnx(source, FOLDER, path)
    return path


ON_THIS_CPU = [k.name for k in PEERS.values() if k.reads is Reads.ONNX and not k.on_gpu]


@pytest.mark.parametrize("name", ON_THIS_CPU)
def test_a_peer_computes_what_torch_computes(name, request):
    python = installed(name)
    source = {"onnx": str(request.getfixturevalue("onnx"))}
    logging.getLogger(__name__).warning("seed %d", SEED)
    model = load(MODEL, SPEC, seed=SEED)
    images = random_inputs(model.example.shape, 2, SEED)
    with EngineProcess(PEERS[name], 1, python) as engine:
        engine.load(source, images[0])
        outputs = [engine.output(image) for image in images]
        assert len(engine.run(5, settle=1).samples) == 5
    expected = [model.module(torch.from_numpy(image)).numpy() for image in images]
    require_agreement(compare(outputs, expected), name)


@pytest.mark.parametrize("name", ["ncnn", "mnn"])
def test_a_file_that_is_no_model_is_refused_in_one_line(name, tmp_path):
    python = installed(name)
    path, image = tmp_path / "model.onnx", random_inputs((1, 3, 8, 8), 1, SEED)[0]
    path.write_bytes(b"no model")
    said = rf"^{name} with 1 thread: load failed: .*not converted from ONNX: "
    with EngineProcess(PEERS[name], 1, python) as engine, pytest.raises(EngineError, match=said):
        engine.load({"onnx": str(path)}, image)
