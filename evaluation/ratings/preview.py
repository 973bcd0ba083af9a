"""A small picture in a terminal: two pixels a character, the upper as its colour, the lower as the colour behind."""

from __future__ import annotations

from imaging import load

ROWS, COLUMNS = 20, 64
"""At most, in characters. A character is twice as high as wide, so that a pixel here is square."""


def preview(image: str, columns: int = COLUMNS) -> str:
    """The image in 24-bit colour escapes, a line each row. Raises ImageError where it cannot be read."""
    picture = load(image).picture.convert("RGB")
    scale = min(min(columns, COLUMNS) / picture.width, 2 * ROWS / picture.height)
    width, height = max(round(picture.width * scale), 1), max(round(picture.height * scale / 2) * 2, 2)
    small = picture.resize((width, height))
    lines = []
    for row in range(0, height, 2):
        cells = []
        for column in range(width):
            above, below = (small.getpixel((column, row + part)) for part in (0, 1))
            colours = ";".join(map(str, ("38;2", *_rgb(above), "48;2", *_rgb(below))))
            cells.append(f"\x1b[{colours}m\u2580")
        lines.append("".join(cells) + "\x1b[0m")
    return "\n".join(lines)


def _rgb(pixel: object) -> tuple[int, int, int]:
    if not isinstance(pixel, tuple):
        raise TypeError("an RGB picture has pixels of three numbers")
    red, green, blue = pixel
    return int(red), int(green), int(blue)
