"""Models from their names to tuning records."""

from collections.abc import Callable, Sequence

from pipeline.build import Lowered, lower
from pipeline.compile import Recipe
from pipeline.models import load
from pipeline.processor import require_architecture
from pipeline.targets import target_named
from pipeline.tuning import Budget, Progress, Summary, tune


def tune_models(
    recipes: Sequence[Recipe], budget: Budget, progress: Callable[[Progress], None]
) -> Summary:
    """Tune what the models of one target consist of; what they share is tuned once."""
    target, logs, seed = target_named(recipes[0].target), recipes[0].logs, recipes[0].seed
    require_architecture(target.architecture, target.name)
    lowered: list[Lowered] = []
    for recipe in recipes:
        model = load(recipe.model, recipe.spec, recipe.weights, recipe.seed)
        lowered.append(lower(model, target))
    return tune(lowered, target, logs, budget, seed, progress)
