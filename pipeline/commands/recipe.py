"""From what a command line asks for to a `Recipe`, and from that to a bundle."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import options
from pipeline.commands.screen import progress

if TYPE_CHECKING:
    from pipeline.compile import Recipe


def recipe_of(
    model: str,
    target: str,
    logs: Path | None,
    shape: tuple[str, int, int],
    weights: Path | None,
    seed: int,
    system: str = "linux",
    linker: Path | None = None,
    dtype: str = "float32",
) -> "Recipe":
    """What is asked for; only its spelling is checked here."""
    size, batch, classes = shape
    height, width = options.input_size(size)
    from pipeline.compile import Recipe
    from pipeline.models import InputSpec

    spec = InputSpec(height, width, batch, classes)
    records = logs or options.default_logs()
    return Recipe(model, target, records, spec, weights, seed, system, linker, dtype=dtype)


def reaches_gpu(target: str, purpose: str) -> bool:
    """Whether the target is a GPU; RequestError if it is and there is none to run its code."""
    from pipeline.targets import is_gpu

    if not is_gpu(target):
        return False
    from pipeline.gpu.local import require_gpu

    require_gpu(purpose)
    return True


def compile_recipe(recipe: "Recipe", out: Path, dump: Path | None = None) -> None:
    """Make the bundle, and print the line that says what it is."""
    from pipeline.compile import compile_bundle
    from pipeline.coverage import exceptions
    from pipeline.progress import Steps
    from pipeline.tables import compiled_line

    with Steps(progress) as steps:
        bundle = compile_bundle(recipe, out, dump, steps.say).bundle
    for line in exceptions(bundle.manifest.kernels):
        progress.print(line, highlight=False, soft_wrap=True)
    print(compiled_line(out, bundle.manifest))
