"""List the targets."""

from pipeline import arguments as a
from pipeline.commands.screen import print_rows


def targets(as_json: a.AsJson = False) -> None:
    """List what can be compiled for.

    \b
    shufflenet-tvm targets
    """
    from pipeline.tables import describe_targets

    print_rows(describe_targets(), as_json)
