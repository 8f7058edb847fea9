"""List the models."""

from pipeline import arguments as a
from pipeline.commands.screen import print_rows


def models(pattern: a.Pattern = None, as_json: a.AsJson = False) -> None:
    """List the models by name; those of a pattern with their multiply-adds and parameters.

    Published figures are of 224x224 images: million multiply-adds and top-1 error in percent.

    \b
    shufflenet-tvm models
    shufflenet-tvm models 'shufflenet-1.0x-*'
    shufflenet-tvm models --json
    """
    from pipeline.tables import describe_models

    print_rows(describe_models(pattern), as_json)
