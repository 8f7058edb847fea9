"""Sets of networks and image sizes that are measured together, by name."""

from dataclasses import dataclass, replace

from pipeline.compile import Recipe
from pipeline.errors import RequestError
from pipeline.models import names
from pipeline.models.paper import FIGURES
from pipeline.models.size import model_size
from pipeline.models.snapdragon import SIZES, SNAPDRAGON_820_MS
from pipeline.models.studies import GROUPED_FIRST, UNSHUFFLED, studies
from pipeline.results import Complexity

USUAL = SIZES[0]


@dataclass(frozen=True)
class Suite:
    """`timed` networks are measured at each of `sizes`; of `listed` ones the size is counted."""

    timed: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    listed: tuple[str, ...] = ()

    def recipes(self, like: Recipe) -> list[Recipe]:
        """What is measured, made as `like` is."""
        specs = [replace(like.spec, height=height, width=width) for height, width in self.sizes]
        known = (*names(), *studies())
        return [
            replace(like, model=model, spec=spec)
            for spec in specs
            for model in self.timed
            if model in known
        ]

    def complexity(self) -> list[Complexity]:
        """Multiply-adds and parameters of the listed networks, counted."""
        sizes = {model: model_size(model) for model in self.listed if model in names()}
        return [
            Complexity(model=model, macs=size.macs, parameters=size.parameters)
            for model, size in sizes.items()
        ]


# The paper's tables: every network that it compares, and the five that it times on a phone.
PAPER = Suite(tuple(SNAPDRAGON_820_MS), SIZES, tuple(FIGURES))
# What the shuffle costs, and what it costs that the first pointwise convolution is dense.
STUDIED = ("shufflenet-1.0x-g3", "shufflenet-1.0x-g8")
SHUFFLE = Suite(
    tuple(name + suffix for name in STUDIED for suffix in ("", UNSHUFFLED, GROUPED_FIRST)),
    (USUAL,),
)
SUITES = {"paper": PAPER, "shuffle": SHUFFLE}


def suite_named(name: str) -> Suite:
    """RequestError lists the known ones."""
    if name not in SUITES:
        raise RequestError(f"unknown suite {name!r}; known: {', '.join(SUITES)}")
    return SUITES[name]
