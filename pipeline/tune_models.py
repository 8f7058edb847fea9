"""Models from their names to tuning records, and whole models compared again with those."""

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

import torch

from pipeline.build import Lowered, build, lower
from pipeline.bundle import Bundle, verify
from pipeline.check import compare, random_inputs, require_agreement
from pipeline.compile import Recipe
from pipeline.devices.address import LOCAL
from pipeline.engines.process import EngineProcess
from pipeline.engines.registry import OURS, EngineKind
from pipeline.errors import RequestError, WorkFailedError
from pipeline.export import export
from pipeline.linker import linker_for, runs_here
from pipeline.models import Model, load
from pipeline.records import read_records, records_path
from pipeline.targets import Target, is_gpu
from pipeline.tuning import Options, Progress, Summary, tune

# Images on which a whole model is compared with PyTorch after tuning.
IMAGES = 3


class Tuner(Protocol):
    """How models of a kind of target are tuned.

    `engine` runs their bundles here; `verifies_there` says whether they can be verified on devices
    over RPC.
    """

    engine: EngineKind
    verifies_there: bool
    logs: Path

    @property
    def family(self) -> str:
        """The name of the records."""

    def require(self, devices: Sequence[str]) -> None:
        """RequestError if something is missing to tune on these devices."""

    def tune(
        self, models: Sequence[Model], options: Options, progress: Callable[[Progress], None]
    ) -> Summary:
        """Tune what these consist of."""

    def bundle(self, model: Model, folder: Path) -> Bundle:
        """A model with the records."""


@dataclass
class CpuTuner:
    """A CPU and the folder of records."""

    target: Target
    logs: Path
    engine = OURS
    verifies_there = True

    @property
    def family(self) -> str:
        """The name of the records."""
        return self.target.family

    def require(self, devices: Sequence[str]) -> None:
        """A linker, and a device of that kind."""
        linker_for(self.target)
        if LOCAL in devices and not runs_here(self.target):
            raise RequestError(
                f"code for {self.target.name} does not run here; name a device: --device"
                " rpc://HOST:PORT/KEY"
            )

    def tune(
        self, models: Sequence[Model], options: Options, progress: Callable[[Progress], None]
    ) -> Summary:
        """Tune the operators and kernels of these."""
        lowered: list[Lowered] = [lower(model, self.target) for model in models]
        return tune(lowered, self.target, self.logs, options, progress)

    def bundle(self, model: Model, folder: Path) -> Bundle:
        """A model with the records."""
        built = build(model, self.target, read_records(self.logs, self.family))
        return export(built, model, self.target, folder)


def tuner_of(recipe: Recipe) -> Tuner:
    """What tunes for the target of a recipe."""
    if not is_gpu(recipe.target):
        return CpuTuner(recipe.resolved(), recipe.logs)
    # What only GPUs need is imported for them only.
    tuner: Tuner = import_module("pipeline.gpu.tuner").gpu_tuner(recipe)
    return tuner


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
    tuner, device = tuner_of(recipes[0]), options.devices[0]
    tuner.require(options.devices)
    say("loading the models")
    models = [load(one.model, one.spec, one.weights, one.seed) for one in recipes]
    path = records_path(tuner.logs, tuner.family)
    before = path.read_bytes() if path.exists() else None
    summary = tuner.tune(models, dataclasses.replace(options, seed=recipes[0].seed), progress)
    if device != LOCAL and not tuner.verifies_there:
        say("whole models are not compared there: run verify of their bundles beside the device")
        return summary
    for model in models:
        say(f"{model.name}: comparing the whole model with PyTorch")
        try:
            check_whole(model, tuner, recipes[0].seed, device)
        except WorkFailedError as error:
            _restore(path, before)
            raise WorkFailedError(f"{error}; the records are as they were before") from error
    return summary


def check_whole(model: Model, tuner: Tuner, seed: int, device: str = LOCAL) -> None:
    """Compile a model with the records and compare its output for several images.

    A device is given the image of the bundle only.
    """
    images = random_inputs(model.example.shape, IMAGES, seed)
    with torch.inference_mode():
        expected = [model.module(torch.from_numpy(image)).numpy() for image in images]
    with tempfile.TemporaryDirectory(prefix="shufflenet-tvm-") as folder:
        bundle = tuner.bundle(model, Path(folder) / "bundle")
        if device != LOCAL:
            verify(bundle, device)
            return
        with EngineProcess(tuner.engine, threads=1) as process:
            process.load({"bundle": str(bundle.folder)}, images[0])
            outputs = [process.output(image) for image in images]
    require_agreement(
        compare(outputs, expected), f"{model.name}, tuned,", bundle.manifest.target.dtype
    )


def _restore(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(content)
