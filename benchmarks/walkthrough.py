"""Runs the commands of docs/walkthrough.md again and writes what they print into it.

    python benchmarks/walkthrough.py --part Radiology --part Cells

Of the parts named, headings that begin so, or of all, in the order they stand: an index is built before it is asked.
Run it in a clone without `data/indexes`, else what is built there already is told to be there. Blocks that begin with
`$ ` are commands; a line that only says `(exit code N)` ends what a command prints that fails.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys

from machine import ROOT

PAGE = ROOT / "docs" / "walkthrough.md"
_BLOCK = re.compile(r"(?<=^```console\n)\$ (?P<command>.*?)\n.*?(?=^```$)", re.MULTILINE | re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", action="append", default=[], help="Again for several. Without it: all.")
    args = parser.parse_args()
    parts = re.split(r"(?m)^(?=## )", PAGE.read_text(encoding="utf-8"))
    for place, part in enumerate(parts):
        title = part.partition("\n")[0].removeprefix("## ")
        if part.startswith("## ") and (not args.part or title.startswith(tuple(args.part))):
            parts[place] = _BLOCK.sub(printed, part)
            PAGE.write_text("".join(parts), encoding="utf-8")


def printed(block: re.Match[str]) -> str:
    """A command as it stands and what it prints, stderr first."""
    command = block["command"]
    print(command, file=sys.stderr, flush=True)
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)  # noqa: S602 - our own page's
    code = f"(exit code {done.returncode})\n" if done.returncode else ""
    return f"$ {command}\n{done.stderr}{done.stdout}{code}"


if __name__ == "__main__":
    main()
