"""Models from their names to tuning records, and whole models compared again with those."""

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from pipeline.build import Lowered, build, lower
from pipeline.bundle import verify
from pipeline.check import compare, random_inputs, require_agreement
from pipeline.compile import Recipe
from pipeline.devices.address import LOCAL
from pipeline.engines.process import EngineProcess
from pipeline.engines.registry import OURS
from pipeline.errors import RequestError, WorkFailedError
from pipeline.export import export
from pipeline.linker import is_native, linker_for
from pipeline.models import Model, load
from pipeline.records import read_records, records_path
from pipeline.targets import Target
from pipeline.tuning import Options, Progress, Summary, tune

# Images on which a whole model is compared with PyTorch after tuning.
IMAGES = 3


def tune_models(
    recipes: Sequence[Recipe],
    options: Options,
    progress: Callable[[Progress], None],
    say: Callable[[str], None] = lambda _: None,
) -> Summary:
    """Tune what the models of one target consist of; what they share is tuned once.

    Afterwards every model is compiled with the records and compared with PyTorch. WorkFailedError
    if one is wrong; the records are then those from before the run.
    """
    target, logs = recipes[0].resolved(), recipes[0].logs
    linker_for(target)
    if LOCAL in options.devices and not is_native(target):
        raise RequestError(
            f"code for {target.name} does not run here; name a device: --device rpc://HOST:PORT/KEY"
        )
    say("loading the models")
    models = [load(one.model, one.spec, one.weights, one.seed) for one in recipes]
    lowered: list[Lowered] = [lower(model, target) for model in models]
    path = records_path(logs, target.family)
    before = path.read_bytes() if path.exists() else None
    summary = tune(
        lowered, target, logs, dataclasses.replace(options, seed=recipes[0].seed), progress
    )
    for model in models:
        say(f"{model.name}: comparing the whole model with PyTorch")
        try:
            check_whole(model, target, logs, recipes[0].seed, options.devices[0])
        except WorkFailedError as error:
            _restore(path, before)
            raise WorkFailedError(f"{error}; the records are as they were before") from error
    return summary


def check_whole(model: Model, target: Target, logs: Path, seed: int, device: str = LOCAL) -> None:
    """Compile a model with the records and compare its output for several images.

    A device is given the image of the bundle only.
    """
    images = random_inputs(model.example.shape, IMAGES, seed)
    with torch.inference_mode():
        expected = [model.module(torch.from_numpy(image)).numpy() for image in images]
    with tempfile.TemporaryDirectory(prefix="shufflenet-tvm-") as folder:
        built = build(model, target, read_records(logs, target.family))
        bundle = export(built, model, target, Path(folder) / "bundle")
        if device != LOCAL:
            verify(bundle, device)
            return
        with EngineProcess(OURS, threads=1) as process:
            process.load({"bundle": str(bundle.folder)}, images[0])
            outputs = [process.output(image) for image in images]
    require_agreement(compare(outputs, expected), f"{model.name}, tuned,", target.dtype)


def _restore(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(content)
