"""Copies of a picture as other archives keep them: rescaled, recompressed, cropped, labelled, framed, and so on.

Each is made from a picture and a random generator, so that the same seed makes the same copy.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Change = Callable[[Image.Image, random.Random], Image.Image]


def rescaled(factor: float) -> Change:
    def change(picture: Image.Image, _: random.Random) -> Image.Image:
        size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
        return picture.resize(size, Image.Resampling.BICUBIC)

    return change


def recompressed(quality: int) -> Change:
    def change(picture: Image.Image, _: random.Random) -> Image.Image:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer).convert("RGB")

    return change


def cropped(picture: Image.Image, chance: random.Random, most: float = 0.12) -> Image.Image:
    """Each side loses a share of its own, up to `most`."""
    w, h = picture.size
    left, top, right, bottom = (chance.uniform(0, most) for _ in range(4))
    return picture.crop((round(left * w), round(top * h), round((1 - right) * w), round((1 - bottom) * h)))


def labelled(picture: Image.Image, chance: random.Random, least: float = 0.03, most: float = 0.08) -> Image.Image:
    """A box with text, anywhere, over 3 to 8 % of the picture."""
    w, h = picture.size
    area, aspect = chance.uniform(least, most) * w * h, chance.uniform(1.5, 5)
    box_w = min(0.9 * w, (area * aspect) ** 0.5)
    box_h = area / box_w
    x, y = chance.uniform(0, w - box_w), chance.uniform(0, max(0.0, h - box_h))
    paper, ink = chance.choice([("white", "black"), ("black", "white"), ("yellow", "black"), ("navy", "white")])
    out = picture.copy()
    draw = ImageDraw.Draw(out)
    draw.rectangle((x, y, x + box_w, y + box_h), fill=paper)
    font = ImageFont.load_default(max(6.0, box_h * 0.5))
    draw.text((x + 2, y + box_h * 0.2), chance.choice(["AX T1 POST", "L 12.4 mm", "FIGURE 2B", "IM 14/32"]), ink, font)
    return out


def padded(picture: Image.Image, chance: random.Random, most: float = 0.15) -> Image.Image:
    """A frame of one colour, each side as wide as it likes, up to `most` of the picture."""
    w, h = picture.size
    left, right = (round(chance.uniform(0.01, most) * w) for _ in range(2))
    top, bottom = (round(chance.uniform(0.01, most) * h) for _ in range(2))
    frame = Image.new("RGB", (w + left + right, h + top + bottom), chance.choice(["black", "white", "#808080"]))
    frame.paste(picture, (left, top))
    return frame


def relit(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Gamma 0.7 to 1.4, contrast 0.75 to 1.25, brightness by up to 25 of 255."""
    values = np.asarray(picture, np.float32) / 255
    values = values ** chance.uniform(0.7, 1.4)
    values = (values - 0.5) * chance.uniform(0.75, 1.25) + 0.5 + chance.uniform(-0.1, 0.1)
    return Image.fromarray((values.clip(0, 1) * 255).round().astype(np.uint8))


def grey(picture: Image.Image, _: random.Random) -> Image.Image:
    return picture.convert("L").convert("RGB")


def combined(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Cropped, labelled, relit, rescaled (0.4 to 1.5) and recompressed (quality 40 to 80)."""
    out = relit(labelled(cropped(picture, chance), chance), chance)
    return recompressed(chance.randint(40, 80))(rescaled(chance.uniform(0.4, 1.5))(out, chance), chance)


def framed(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Cropped, then padded, labelled and recompressed: a screenshot of a viewer."""
    out = padded(cropped(picture, chance, 0.08), chance)
    return recompressed(60)(labelled(out, chance, 0.01, 0.05), chance)


def squared(picture: Image.Image, _: random.Random) -> Image.Image:
    """Both sides 256 pixels, whatever they were."""
    return picture.resize((256, 256), Image.Resampling.BILINEAR)


def stretched(picture: Image.Image, chance: random.Random) -> Image.Image:
    """One side by up to a tenth longer or shorter than the other."""
    w, h = picture.size
    return picture.resize((round(w * chance.uniform(0.9, 1.1)), h), Image.Resampling.BICUBIC)


def windowed(picture: Image.Image, chance: random.Random) -> Image.Image:
    """A narrower grey window: the darkest and brightest tenths of the range are cut off."""
    values = np.asarray(picture, np.float32)
    low, high = chance.uniform(10, 40), chance.uniform(190, 240)
    return Image.fromarray(((values - low) / (high - low) * 255).clip(0, 255).astype(np.uint8))


def noisy(picture: Image.Image, chance: random.Random) -> Image.Image:
    noise = np.random.default_rng(chance.randrange(2**32)).normal(0, 10, (*picture.size[::-1], 1))
    return Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8))


def blurred(picture: Image.Image, _: random.Random) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(max(picture.size) / 250))


def sharpened(picture: Image.Image, _: random.Random) -> Image.Image:
    return ImageEnhance.Sharpness(picture).enhance(3)


def mirrored(picture: Image.Image, _: random.Random) -> Image.Image:
    return ImageOps.mirror(picture)


def tilted(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Turned by up to two degrees, as a scan of a print is."""
    return picture.rotate(chance.choice([-1, 1]) * chance.uniform(0.5, 2), Image.Resampling.BICUBIC)


def annotated(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Arrows, a scale bar and words in the corners."""
    out, (w, h) = picture.copy(), picture.size
    draw, font = ImageDraw.Draw(out), ImageFont.load_default(max(8.0, h / 22))
    for _ in range(3):
        x, y = chance.uniform(0.2, 0.8) * w, chance.uniform(0.2, 0.8) * h
        draw.line((x, y, x + w / 12, y + h / 12), "white", max(1, w // 100))
        draw.polygon(((x, y), (x + w / 30, y), (x, y + h / 30)), "white")
    draw.line((0.05 * w, 0.95 * h, 0.3 * w, 0.95 * h), "white", max(1, h // 80))
    for x, y, text in ((0.01, 0.01, "NAME ID 0000"), (0.7, 0.01, "5 mm 120 kV"), (0.7, 0.9, "W 350 L 40")):
        draw.text((x * w, y * h), text, "white", font)
    return out


def webp(picture: Image.Image, _: random.Random) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=50)
    return Image.open(buffer).convert("RGB")


def palette(picture: Image.Image, _: random.Random) -> Image.Image:
    """24 colours, dithered, as a GIF has them."""
    return picture.quantize(24).convert("RGB")


def watermarked(picture: Image.Image, _: random.Random) -> Image.Image:
    """Large words across it, half transparent."""
    layer = Image.new("RGBA", picture.size)
    draw, (w, h) = ImageDraw.Draw(layer), picture.size
    font = ImageFont.load_default(max(10.0, h / 6))
    for share in (0.1, 0.4, 0.7):
        draw.text((0.05 * w, share * h), "TEACHING FILE", (255, 255, 255, 90), font)
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")


def cropped_on_two_sides(picture: Image.Image, chance: random.Random) -> Image.Image:
    """12 % off the left or right, and off the top or bottom."""
    (w, h), x, y = picture.size, chance.choice([0, 0.12]), chance.choice([0, 0.12])
    return picture.crop((round(x * w), round(y * h), round((x + 0.88) * w), round((y + 0.88) * h)))


def cropped_and_squared(picture: Image.Image, chance: random.Random) -> Image.Image:
    return squared(cropped(picture, chance, 0.08), chance)


def tinted(picture: Image.Image, chance: random.Random) -> Image.Image:
    """One colour lightened, one darkened, and unevenly lit from a side."""
    values = np.asarray(picture, np.float32) * np.array([1.1, 0.95, 0.8], np.float32)
    light = np.linspace(chance.uniform(0.7, 1), chance.uniform(0.7, 1), picture.width, dtype=np.float32)
    return Image.fromarray((values * light[None, :, None]).clip(0, 255).astype(np.uint8))


def toolbar(picture: Image.Image, chance: random.Random) -> Image.Image:
    """A viewer's bar with words above it, a tenth of its height, and a scroll bar to the right."""
    w, h = picture.size
    bar = round(0.1 * h)
    out = Image.new("RGB", (round(1.04 * w), h + bar), "#d0d0d8")
    out.paste(picture, (0, bar))
    draw, font = ImageDraw.Draw(out), ImageFont.load_default(max(6.0, 0.5 * bar))
    draw.text((4, 2), "File  View  Window/Level  Series 3", "black", font)
    draw.rectangle((w + 2, bar + chance.uniform(0, h / 2), 1.035 * w, bar + 0.7 * h), fill="#8080a0")
    return out


def three_labels(picture: Image.Image, chance: random.Random) -> Image.Image:
    for _ in range(3):
        picture = labelled(picture, chance, 0.01, 0.027)
    return picture


def passed_on(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Rescaled and recompressed three times, as from hand to hand."""
    for factor in (0.7, 1.3, 0.6):
        picture = recompressed(chance.randint(50, 80))(rescaled(factor)(picture, chance), chance)
    return picture


NAMED: dict[str, Change] = {
    "rescaled_0.5": rescaled(0.5),
    "rescaled_1.7": rescaled(1.7),
    "recompressed_q40": recompressed(40),
    "margin_cropped": cropped,
    "relabelled": labelled,
    "padded": padded,
    "relit": relit,
    "combined": combined,
}
"""The kinds that the guard is held to."""

SEEN: dict[str, Change] = {
    "recompressed_q20": recompressed(20),
    "rescaled_0.3": rescaled(0.3),
    "grey": grey,
    "framed": framed,
    "squared": squared,
    "stretched": stretched,
    "windowed": windowed,
    "noisy": noisy,
    "blurred": blurred,
    "sharpened": sharpened,
    "annotated": annotated,
    "tilted": tilted,
    "mirrored": mirrored,
}
"""Other kinds that were looked at while the method was made and its thresholds were set, as were those of NAMED."""

NEW: dict[str, Change] = {
    "webp": webp,
    "palette": palette,
    "watermarked": watermarked,
    "cropped_on_two_sides": cropped_on_two_sides,
    "cropped_and_squared": cropped_and_squared,
    "tinted": tinted,
    "toolbar": toolbar,
    "three_labels": three_labels,
    "passed_on": passed_on,
}
"""Kinds that were written when the thresholds stood."""
