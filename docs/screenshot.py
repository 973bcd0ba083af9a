"""Draws docs/caption.png: a real run of `caption`, the image beside what was printed.

python docs/screenshot.py data/demo/smear.png
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parents[1]
COLUMNS, MARGIN, SIDE, SIZE = 92, 24, 300, 15
BACKGROUND, INK, DIM, PROMPT = "#16181d", "#e6e6e6", "#9aa0a6", "#8ab4f8"


def main() -> None:
    """Runs the command and writes the picture."""
    image = sys.argv[1]
    command = ["cli.py", "caption", "--image", image]
    environment = {**os.environ, "COLUMNS": str(COLUMNS)}
    done = subprocess.run(  # noqa: S603 - this program, with the image named by the caller
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    lines = [("$ python " + " ".join(command), PROMPT), ("", INK)]
    lines += [(line, INK if number < 12 else DIM) for number, line in enumerate(done.stdout.rstrip().splitlines())]
    font = ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSansMono.ttf"), SIZE)
    step = int(SIZE * 1.45)
    width = MARGIN * 3 + SIDE + int(font.getlength("m" * COLUMNS))
    height = MARGIN * 2 + max(step * len(lines), SIDE)
    canvas = Image.new("RGB", (width, height), BACKGROUND)
    with Image.open(ROOT / image) as picture:
        picture.thumbnail((SIDE, SIDE))
        canvas.paste(picture, (MARGIN, MARGIN))
    pen = ImageDraw.Draw(canvas)
    for number, (line, colour) in enumerate(lines):
        pen.text((MARGIN * 2 + SIDE, MARGIN + number * step), line, fill=colour, font=font)
    canvas.save(ROOT / "docs/caption.png", optimize=True)


if __name__ == "__main__":
    main()
