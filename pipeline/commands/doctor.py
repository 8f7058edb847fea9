"""Examine this machine."""

import typer

from pipeline import arguments as a
from pipeline import options
from pipeline.commands.screen import print_rows


def doctor(logs: a.Logs = None) -> None:
    """Say what this machine lacks, and what to do.

    \b
    shufflenet-tvm doctor
    """
    from pipeline.doctor import examine
    from pipeline.tables import describe_findings

    findings = examine(logs or options.default_logs())
    print_rows(describe_findings(findings), as_json=False)
    if any(finding.state == "problem" for finding in findings):
        raise typer.Exit(1)
