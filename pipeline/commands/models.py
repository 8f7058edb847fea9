"""List the models."""

from pipeline import arguments as a
from pipeline.commands.screen import print_rows


def models(as_json: a.AsJson = False) -> None:
    """List the models by name.

    \b
    shufflenet-tvm models
    shufflenet-tvm models --json
    """
    from pipeline.tables import describe_models

    print_rows(describe_models(), as_json)
