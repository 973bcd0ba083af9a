"""What was learned, made a model of its own, or given to others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.common import to_stderr

if TYPE_CHECKING:
    from finetune.merge import Stored


@click.command("merge")
@click.argument("adapter", metavar="ADAPTER", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New folder for the model.")
@click.option("--model", metavar="NAME", help="What ADAPTER was trained on.  [default: as its base.json says]")
@click.option("--path", type=click.Path(path_type=Path), help="Folder with that model's files.")
@click.option(
    "--dtype", type=click.Choice(["fp32", "bf16", "fp16"]), help="Precision to store.  [default: that of the base]"
)
def merge_command(adapter: Path, out: Path, model: str | None, path: Path | None, dtype: Stored | None) -> None:
    """Work an adapter into the weights of its base, and check that it answers as before.

    ADAPTER is an adapter's folder or that of a run. One that was trained over 4-bit weights is merged into the 16-bit
    ones, never into rounded weights; how far that takes it is said.

    \b
    python cli.py finetune merge runs/finetune/smolvlm-rocov2-1a2b3c4d --out models/smolvlm-rocov2
    python cli.py caption --image scan.png --model models/smolvlm-rocov2/model.yaml
    """
    from finetune.merge import merge

    merged = merge(adapter, out, model=model, path=path, dtype=dtype, tell=to_stderr)
    click.echo(f"{merged.folder}: {merged.text}")
    to_stderr(f"use it: --model {merged.folder / 'model.yaml'}")


@click.command("push")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--repo", required=True, metavar="OWNER/NAME", help="Repository on the hub, made where there is none.")
@click.option("--private", is_flag=True, help="Make it one that only its owner sees.")
@click.option("--data-may-be-shared", is_flag=True, help="You may share what it learned from, licence stated or not.")
def push_command(folder: Path, repo: str, private: bool, data_may_be_shared: bool) -> None:
    """Upload an adapter, or a merged model, to the Hugging Face hub, with the token in HF_TOKEN.

    Refused where any record that it learned from states no licence.

    \b
    HF_TOKEN=... python cli.py finetune push runs/finetune/smolvlm-rocov2-1a2b3c4d --repo me/smolvlm-rocov2 --private
    """
    from finetune.push import push

    pushed = push(folder, repo, private=private, may_share=data_may_be_shared)
    click.echo(f"{pushed.url}: {pushed.files} files")
