"""What this machine can run."""

from __future__ import annotations

import json
import sys

import click

from commands.common import SOME_FAILED


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def doctor(as_json: bool) -> None:
    """What this machine can run, and what is missing with the command that mends it.

    \b
    python cli.py doctor
    """
    from installed import bare_report

    bare = bare_report()
    if bare:  # without its packages the rest of the program cannot look at anything
        sys.exit("\n".join(bare))
    from rag.doctor import examine

    findings = examine()
    if as_json:
        click.echo(json.dumps([finding.to_json() for finding in findings]))
    else:
        for finding in findings:
            click.echo(finding.as_text())
    sys.exit(SOME_FAILED if any(finding.state == "broken" for finding in findings) else 0)
