"""The REST API and the web page."""

from __future__ import annotations

from pathlib import Path

import click

from commands.common import to_stderr


@click.command()
@click.option("--host", help="Address to listen at.  [default: 127.0.0.1, this machine alone]")
@click.option("--port", type=click.IntRange(0, 65535), help="[default: 8000]")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of records, jobs and ratings.")
@click.option("--config", type=click.Path(path_type=Path), help="YAML laid over configs/service.yaml.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="e.g. desk.max_batch=16")
@click.option("--open-to-network", is_flag=True, help="Listen beyond this machine though no keys are set.")
@click.option("--new-key", metavar="NAME", help="Make a key, print it and the line that knows it, and stop.")
def serve(
    host: str | None, port: int | None, data: Path | None, config: Path | None, assignments: tuple[str, ...],
    open_to_network: bool, new_key: str | None,
) -> None:  # fmt: skip
    """Serve the REST API and the web page.

    Keys are known by their hashes: a list in the file that keys.file names, or NAME:SHA256,... in the environment
    variable LUMENSCRIBE_KEYS. Without keys it listens to this machine alone.

    \b
    python cli.py serve
    python cli.py serve --port 9000 --set 'offered.indexes={medpix: data/indexes/medpix}'
    python cli.py serve --new-key lab
    LUMENSCRIBE_KEYS=lab:HASH python cli.py serve --host 0.0.0.0
    """
    from service.config import load_config

    if new_key is not None:
        from service.keys import new_key as make_key

        secret, line = make_key(new_key)
        to_stderr(f"The key, shown this once:\n{secret}\nFor the file that keys.file names:")
        click.echo(line)
        return
    from service.run import run_service

    run_service(
        load_config(config, assignments, host=host, port=port, data=data, open_to_network=open_to_network or None),
        tell=to_stderr,
    )
