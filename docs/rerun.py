"""Runs the commands of docs/walkthrough.md again, in their order, and puts in what they print.

    python docs/rerun.py
    python docs/rerun.py indexes/bccd

Needs ../shared/data. With an argument only the commands with that in them. The indexes that those commands build are
removed first.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "walkthrough.md"
SMEAR = ROOT / "data" / "demo" / "smear.png"
TORN = ROOT / "data" / "torn.jpg"
_BLOCK = re.compile(r"```console\n\$ (.+?)\n(.*?)```", re.DOTALL)


def main() -> None:
    """Runs them, from the repository root."""
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    for index in ("medpix", "texts", "bccd"):
        if part in f"indexes/{index}":
            shutil.rmtree(ROOT / "data" / "indexes" / index, ignore_errors=True)
    from PIL import Image

    with Image.open(SMEAR) as smear:
        smear.convert("RGB").save(TORN)
    TORN.write_bytes(TORN.read_bytes()[:-20_000])
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_BLOCK.sub(lambda block: _again(block) if part in block[1] else block[0], text), encoding="utf-8")


def _again(block: re.Match[str]) -> str:
    return f"```console\n$ {block[1]}\n{_printed(block[1])}```"


def _printed(command: str) -> str:
    """What the command writes on stderr, then on stdout, then its exit code where it is not 0."""
    print(command, file=sys.stderr, flush=True)
    program = [sys.executable, *shlex.split(command)[1:]]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - the page's own
    ending = f"(exit code {done.returncode})\n" if done.returncode else ""
    return (done.stderr + done.stdout).replace(str(Path.home()), "~") + ending


if __name__ == "__main__":
    main()
