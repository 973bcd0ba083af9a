"""The command line: what the commands of `commands/` have in common. Nothing heavy is imported before one needs it."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

try:
    import click
except ModuleNotFoundError:
    from installed import bare_report

    sys.exit("\n".join(bare_report()))

from commands.batch import batch
from commands.common import WRONG_REQUEST
from commands.data import data
from commands.describe import ask, caption, extract, replay
from commands.doctor import doctor
from commands.evaluate import evaluate
from commands.experiment import experiment
from commands.export import export
from commands.finetune import finetune
from commands.index import index
from commands.models import models
from commands.prompts import prompts
from commands.ratings import rate, ratings
from commands.report import report
from commands.serve import serve


def known_errors() -> tuple[type[Exception], ...]:
    """The base classes of the errors that are told in one line; evaluated only once something was raised."""
    from batch.errors import BatchError
    from configs import ConfigError
    from evaluation.errors import EvaluationError
    from finetune.errors import FinetuneError
    from imaging import ImageError
    from indexer.errors import IndexerError
    from rag.errors import RagError
    from service.errors import ServiceError
    from vlm.errors import VlmError

    return (
        BatchError, ConfigError, EvaluationError, FinetuneError, ImageError, IndexerError, RagError, ServiceError,
        VlmError,
    )  # fmt: skip


class Program(click.Group):
    """Turns our own errors into one line on stderr and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except known_errors() as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(WRONG_REQUEST)


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="lumenscribe")
def main() -> None:
    """Descriptions of biomedical images, each with its evidence.

    For research only; not for diagnosis.

    \b
    python cli.py caption --image cell.png
    python cli.py ask --image cell.png --question "What kind of image is this?"
    python cli.py index build configs/indexes/bccd.yaml
    python cli.py caption --image cell.png --index data/indexes/bccd --json
    python cli.py doctor
    """
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it warns that the hub has faster kernels


for command in (
    caption,
    ask,
    extract,
    replay,
    batch,
    export,
    index,
    data,
    prompts,
    models,
    evaluate,
    experiment,
    rate,
    ratings,
    finetune,
    report,
    serve,
    doctor,
):
    main.add_command(command)


def program() -> None:
    """Runs `main` and leaves at once: Python's own way out takes apart every object of torch, for over a second."""
    try:
        main()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(end.code or 0)
        raise


if __name__ == "__main__":
    program()
