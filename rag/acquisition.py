"""What the files of a request say of how they were made: a line of its prompt, and what narrows its examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from imaging import Acquisition, LoadedImage
from indexer.types import Evidence, Filter

Fact = Literal["modality"]
"""Facts that an index keeps of its examples."""

NAMES = {
    "CT": ("CT", "CTA", "PET/CT", "computed tomography"),
    "MR": ("MR", "MRI", "MRA", "MRS", "MRCP", "fMRI", "magnetic resonance"),
    "X-ray": ("X-ray", "radiograph", "radiography", "plain film", "CR", "DX"),
    "mammography": ("mammography", "mammogram", "MG"),
    "ultrasound": ("ultrasound", "US", "ultrasonography", "sonography", "echocardiography"),
    "PET": ("PET", "PET/CT", "PET-CT", "PT"),
    "nuclear medicine": ("nuclear medicine", "NM", "scintigraphy", "SPECT", "bone scan"),
    "angiography": ("angiography", "angiogram", "XA", "DSA"),
    "fluoroscopy": ("fluoroscopy", "RF"),
    "endoscopy": ("endoscopy", "ES"),
    "microscopy": ("microscopy", "light microscopy", "histology", "histopathology", "SM", "GM"),
    "fluorescence microscopy": ("fluorescence microscopy", "fluorescence", "microscopy"),
    "bright-field microscopy": ("bright-field microscopy", "brightfield microscopy", "light microscopy", "microscopy"),
}
"""What indexes call a modality of `imaging`, by how the name begins; others are called as `imaging` calls them."""
MOST_CHANNELS = 8


def facts_line(images: Sequence[LoadedImage]) -> str:
    """What the files say, a sentence for the prompt; "" where they say nothing."""
    said = [_said(image.acquisition) for image in images]
    if not any(said):
        return ""
    if len(said) == 1:
        return f"The file says: {said[0]}."
    parts = [f"image {number}: {text}" for number, text in enumerate(said, start=1) if text]
    return f"The files say: {'; '.join(parts)}."


def _said(of: Acquisition) -> str:
    part = " ".join(word for word in (of.laterality if of.body_part else None, of.body_part) if word)
    agent = {True: "with contrast agent", False: "without contrast agent", None: ""}[of.contrast_agent]
    told = [
        of.modality,
        of.weighting,
        of.sequence,
        f"{of.view} view" if of.view and of.view != "localizer" else of.view,
        of.plane,
        part or of.laterality,
        agent,
        _stains(of),
        _channels(of),
        f"{of.objective:g}x objective" if of.objective else "",
        f"{_pixel(of.spacing_mm)} pixels" if of.spacing_mm else "",
        f"{_pixel(of.detector_spacing_mm)} pixels at the detector" if of.detector_spacing_mm else "",
        f"{_mm(of.slice_thickness_mm)} slices" if of.slice_thickness_mm else "",
    ]
    return ", ".join(word for word in told if word)


def _stains(of: Acquisition) -> str:
    """The stains that no channel is named after."""
    named = " ".join(of.channels).lower()
    return " and ".join(stain for stain in of.stains if stain.lower() not in named)


def _channels(of: Acquisition) -> str:
    if not of.channels:
        return ""
    more = len(of.channels) - MOST_CHANNELS
    names = ", ".join(of.channels[:MOST_CHANNELS]) + (f" and {more} more" if more > 0 else "")
    if of.channel is None or len(of.channels) == 1:
        return f"{'channel' if len(of.channels) == 1 else 'channels'} {names}"
    shown = of.channel if of.channel.startswith("channel ") else f"channel {of.channel}"
    return f"{shown} (of {names})"


def _pixel(spacing: tuple[float, float]) -> str:
    down, across = spacing
    if abs(down - across) <= 0.01 * across:
        return _mm(across)
    return f"{_mm(down)} x {_mm(across)}"


def _mm(length: float) -> str:
    """Two digits of a length, in micrometres below a tenth of a millimetre."""
    return f"{1000 * length:.2g} µm" if length < 0.1 else f"{length:.2g} mm"


@dataclass(frozen=True)
class Narrowed:
    """What a request's examples may be: the settings' own filter with what its files say on top, and what was said.

    `why` names the fact for a warning, "" where there is nothing to narrow by.
    """

    only: Filter
    why: str = ""
    warnings: tuple[str, ...] = ()


def narrowed(images: Sequence[LoadedImage], only: Filter, by: Sequence[Fact]) -> Narrowed:
    """The filter for a request's examples: of the facts in `by` that every file states, those that `only` allows.

    Examples of any of the files' modalities pass. Where `only` allows none of them, it stands as it is, with a warning.
    """
    modalities = [image.acquisition.modality for image in images]
    if "modality" not in by or not all(modalities):
        return Narrowed(only)
    stated = sorted({modality for modality in modalities if modality})
    names = {name for modality in stated for name in NAMES.get(modality, (modality,))}
    why = f"the file says {' and '.join(stated)}"
    allowed = _both(names, only.modalities) if only.modalities else frozenset(names)
    if not allowed:
        settings = f"retrieval.only.modalities allows {', '.join(sorted(only.modalities))}"
        return Narrowed(only, warnings=(f"{why}, {settings}: examples are of the latter",))
    return Narrowed(replace(only, modalities=allowed), why)


def _both(one: Sequence[str] | set[str], other: frozenset[str]) -> frozenset[str]:
    """The names of either set that begin with one of the other, by whole words: what passes both filters."""
    pairs = [(a, b) for a in one for b in other]
    within = {a for a, b in pairs if _begins(a, b)} | {b for a, b in pairs if _begins(b, a)}
    return frozenset(within)


def _begins(name: str, start: str) -> bool:
    return f"{name.lower()} ".startswith(f"{start.lower()} ")


def search_narrowed(
    search: Callable[[Sequence[Filter]], list[list[Evidence]]], asked: Sequence[Narrowed], only: Filter
) -> tuple[list[list[Evidence]], list[tuple[str, ...]]]:
    """For each request the examples that `search` finds under its filter, and warnings.

    Where nothing passes what the files say, the request is searched for again under `only`, which is said.
    """
    found = search([one.only for one in asked])
    bare = [bool(one.why) and not examples for one, examples in zip(asked, found, strict=True)]
    if any(bare):
        again = search([only if dropped else one.only for one, dropped in zip(asked, bare, strict=True)])
        found = [wider if dropped else narrow for narrow, wider, dropped in zip(found, again, bare, strict=True)]
    warnings = [
        (*one.warnings, *((f"{one.why}, but no example of the index passes that: not narrowed",) if dropped else ()))
        for one, dropped in zip(asked, bare, strict=True)
    ]
    return found, warnings
