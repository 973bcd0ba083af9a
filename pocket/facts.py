"""What is known of a training image, and the words for it.

The one place where captions and questions are phrased; knows nothing of pixels, models or files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["smear", "fluorescence", "tissue", "brightfield", "ct", "mr", "xray", "unknown"]
KINDS: tuple[Kind, ...] = ("smear", "fluorescence", "tissue", "brightfield", "ct", "mr", "xray", "unknown")
CANNOT_TELL = "I cannot tell what this image shows."
CANNOT_SAY = "I cannot tell from this image."
"""The answer to a question of diagnosis, which no caption here settles."""


STAINS = {
    "he": "pink and purple stain, as in H&E",
    "ihc": "brown and blue stain, as in immunohistochemistry",
}

COUNTS = (*range(5, 31), *range(32, 51, 2), *range(55, 101, 5), *range(110, 201, 10))
_SMALL = ("no", "one", "two", "three", "four")


@dataclass(frozen=True)
class Facts:
    """The truth about one image. A count is None where it is not known; `stain` is "he", "ihc" or None,
    `cell` the type of a smear's one white cell, in whatever words the evidence has for it."""

    kind: Kind
    organ: str | None = None
    plane: str | None = None
    red: int | None = None
    white: int | None = None
    nuclei: int | None = None
    stain: str | None = None
    platelets: int | None = None
    cell: str | None = None


def count_words(count: int) -> str:
    """'no', 'one' ... 'four', each number to 30, then steps of 2, 5 and 10 up to 'about 200', then 'more than 200'."""
    if count < len(_SMALL):
        return _SMALL[count]
    if count > 220:
        return "more than 200"
    return f"about {min(COUNTS, key=lambda step: abs(step - count))}"


def things(count: int, one: str, many: str) -> str:
    """'one nucleus', 'about 30 nuclei'."""
    return f"{count_words(count)} {one if count == 1 else many}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def kind_phrase(facts: Facts) -> str:
    """The kind alone, as a caption starts: 'Blood smear, light microscopy'."""
    phrases: dict[Kind, str] = {
        "smear": "Blood smear, light microscopy",
        "fluorescence": "Fluorescence microscopy",
        "tissue": "Stained tissue section, light microscopy",
        "brightfield": "Bright-field microscopy of cells",
        "ct": "CT",
        "mr": "MR image",
        "xray": "X-ray",
        "unknown": CANNOT_TELL.rstrip("."),
    }
    return phrases[facts.kind]


def _detail(facts: Facts) -> str:
    if facts.kind == "smear":
        return _cells(facts)
    if facts.kind == "fluorescence" and facts.nuclei is not None:
        return things(facts.nuclei, "bright nucleus", "bright nuclei") + " on a dark background"
    parts = [STAINS[facts.stain]] if facts.kind == "tissue" and facts.stain else []
    parts += [] if facts.nuclei is None else [things(facts.nuclei, "nucleus", "nuclei")]
    return "; ".join(parts)


def _cells(facts: Facts) -> str:
    parts = [] if facts.red is None else [things(facts.red, "red cell", "red cells")]
    if facts.white is not None:
        named = f" ({facts.cell})" if facts.cell and facts.white else ""
        parts.append(things(facts.white, "white cell", "white cells") + named)
    parts += [] if facts.platelets is None else [things(facts.platelets, "platelet", "platelets")]
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def caption(facts: Facts) -> str:
    """The house's caption: the kind, then at most one sentence of detail."""
    if facts.kind == "unknown":
        return CANNOT_TELL
    if facts.kind in ("ct", "mr", "xray"):
        return _radiology(facts)
    detail = _detail(facts)
    return kind_phrase(facts) + "." + (f" {_sentence(detail)}" if detail else "")


def _radiology(facts: Facts) -> str:
    if facts.kind == "xray":
        if facts.organ == "chest":
            return f"Chest X-ray, {facts.plane} view." if facts.plane else "Chest X-ray."
        return f"X-ray of the {facts.organ}." if facts.organ else "X-ray."
    name = {"ct": "CT", "mr": "MR image"}[facts.kind]
    where = f" of the {facts.organ}" if facts.organ else ""
    return f"{facts.plane.capitalize()} {name}{where}." if facts.plane else f"{name}{where}."
