"""What a microscope's file says of how its image was made: OME-XML, ImageJ's header, a resolution that is a size.

Channels are named by whoever took the image, so a name is passed on where every word of it is a dye, a protein that
shines, a stain, a common marker, an optical method or a wavelength; else the channel is told by its number. Of the
XML only the attributes named here are read: no experimenter, no description, no date.

Schema: OME 2016-06 (Pixels, Channel, Objective). Sizes without a unit are micrometres there, as it says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

MAX_XML_CHARS = 20_000_000
MAX_NAME_CHARS = 40
MM = {"m": 1e3, "cm": 10.0, "mm": 1.0, "µm": 1e-3, "μm": 1e-3, "um": 1e-3, "micron": 1e-3, "microns": 1e-3,
      "nm": 1e-6, "å": 1e-7}  # fmt: skip
"""Units of length, in millimetres."""
STAINS = {
    "dapi": "DAPI", "hoechst": "Hoechst", "h&e": "H&E", "he": "H&E", "haematoxylin": "haematoxylin",
    "hematoxylin": "haematoxylin", "eosin": "eosin", "dab": "DAB", "giemsa": "Giemsa", "wright": "Wright",
    "pas": "PAS", "phalloidin": "phalloidin", "wga": "WGA", "mitotracker": "MitoTracker",
    "lysotracker": "LysoTracker", "sytox": "SYTOX", "draq5": "DRAQ5", "propidium": "propidium iodide",
    "pi": "propidium iodide", "calcein": "calcein", "nissl": "Nissl", "trichrome": "trichrome",
}  # fmt: skip
"""Dyes that say what is stained, by a word of a channel's name."""
_DYES = (
    "gfp egfp sfgfp rfp yfp eyfp cfp ecfp bfp ebfp mcherry mtomato tdtomato tomato dsred mkate mkate2 mscarlet mruby "
    "mneongreen neongreen venus mvenus citrine mcitrine cerulean mcerulean turquoise mturquoise mturquoise2 emerald "
    "mclover clover mplum morange katushka irfp gcamp gcamp6 gcamp6f halotag fitc tritc texas alexa fluor alexafluor "
    "atto dylight cy2 cy3 cy5 cy7 sir rhodamine fluorescein tamra bodipy syto topro fluo fura dii dio did fm4 nile "
    "cellmask cona tracker iodide autofluorescence af488 af555 af568 af594 af647"
)
_MARKERS = (
    "actin tubulin vimentin lamin desmin keratin cytokeratin panck collagen fibronectin laminin cadherin gfap neun "
    "map2 iba1 nestin sox2 oct4 nanog ki67 foxp3 pax5 pdl1 her2 er pr p53 p63 vwf lyve1 sma asma histone h2b h2ax h3 "
    "tau tom20 edu brdu caspase egfr mhc insulin synapsin psd95"
)
_METHODS = (
    "brightfield bright field bf transmitted transmission tl tpmt dic phase contrast ph darkfield reflected polarised "
    "polarized widefield confocal fluorescence fluo em ex emission excitation shg srs raman multiphoton twophoton "
    "red green blue cyan magenta yellow orange far deep white gray grey rgb light uv ir nir violet "
    "nuclei nucleus nuclear dna rna membrane cytoplasm cytosol mitochondria er golgi lysosome lysosomes cell cells "
    "channel ch c camera cam laser filter track nm anti stain"
)
_WORDS = frozenset(f"{_DYES} {_MARKERS} {_METHODS}".split()) | STAINS.keys()
_WORD = re.compile(r"[a-z]+&[a-z]+|[a-z]+[a-z0-9]*|\d+")
_PLAIN = re.compile(r"[a-z0-9&\s/().,:+_-]*")
_NUMBERED = re.compile(r"(?:cd|ch|c|ex|em|af|cy|krt|ck|atto|hoechst|w)?\d{1,5}(?:nm)?")
"""CD45, Ch1, Ex488, 561nm, Hoechst33342 and plain numbers."""
FLUORESCENT = frozenset(f"{_DYES} dapi hoechst sytox draq5 propidium phalloidin fluorescence".split())
METHODS = {
    "fluorescence": "fluorescence microscopy", "brightfield": "bright-field microscopy",
    "phase": "phase contrast microscopy", "dic": "differential interference contrast microscopy",
    "darkfield": "dark-field microscopy",
}  # fmt: skip
"""ContrastMethod of a channel, in small letters."""
FINE_MM = 0.005
"""What a plain file calls its resolution is taken for a size below this: 5 micrometres a pixel is 5,080 dots per inch,
more than any screen, printer or scanner of paper says of itself. 72 dpi says nothing."""
FINEST_MM = 1e-6
COARSEST_MM = 1.0


@dataclass(frozen=True)
class Optics:
    """What OME-XML says, where all images in the file agree. `channels` are names that may be told, by their place."""

    channels: tuple[str, ...] = ()
    stains: tuple[str, ...] = ()
    modality: str | None = None
    objective: float | None = None
    spacing_mm: tuple[float, float] | None = None


def read_ome(description: str) -> Optics:
    """The facts of an OME-TIFF by its first page's description; empty where that is no OME-XML, or a damaged one."""
    if "<OME" not in description[:4096] or len(description) > MAX_XML_CHARS or "<!DOCTYPE" in description:
        return Optics()
    try:
        root = ElementTree.fromstring(description.strip("\0 \r\n\t").encode())  # noqa: S314 - no DTD, so no entities
    except (ElementTree.ParseError, ValueError):
        return Optics()
    magnifications = {one.get("ID"): _number(one.get("NominalMagnification")) for one in _all(root, "Objective")}
    images = [_image(image, magnifications) for image in _all(root, "Image")]
    return images[0] if images and all(image == images[0] for image in images) else Optics()


def _image(image: ElementTree.Element, magnifications: dict[str | None, float | None]) -> Optics:
    pixels = next(_all(image, "Pixels"), None)
    if pixels is None:
        return Optics()
    found = list(_all(pixels, "Channel"))
    said = [(channel.get("Name") or "", channel.get("Fluor") or "") for channel in found]
    words = {word for names in said for name in names if known_name(name) for word in _words(name)}
    settings = next(_all(image, "ObjectiveSettings"), None)
    objective = magnifications.get(settings.get("ID")) if settings is not None else None
    methods = {METHODS.get((channel.get("ContrastMethod") or "").lower()) for channel in found} - {None}
    if words & FLUORESCENT and not methods:
        methods = {METHODS["fluorescence"]}
    microscope = objective is not None or any(channel.get("AcquisitionMode") for channel in found)
    return Optics(
        channels=channel_names(said),
        stains=tuple(dict.fromkeys(STAINS[word] for word in sorted(words) if word in STAINS)),
        modality=methods.pop() if len(methods) == 1 else "microscopy" if methods or microscope else None,
        objective=objective,
        spacing_mm=_size(pixels),
    )


def channel_names(said: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Of each channel the first of what it is called that may be told, else "channel 2"; () where none has a name."""
    names = [next((name.strip() for name in names if known_name(name)), None) for names in said]
    if not any(names):
        return ()
    return tuple(name or f"channel {number}" for number, name in enumerate(names, start=1))


def known_name(name: str) -> bool:
    """Whether a channel's name has nothing but known words in it."""
    if len(name) > MAX_NAME_CHARS or not _PLAIN.fullmatch(name.lower()):
        return False
    words = _words(name)
    return bool(words) and all(word in _WORDS or _NUMBERED.fullmatch(word) for word in words)


def plain_spacing(per_pixel_mm: tuple[float, float] | None) -> tuple[float, float] | None:
    """What a file without a word on optics gives as its resolution, where it can only be a size; rows, columns."""
    fine = per_pixel_mm is not None and all(FINEST_MM <= side <= FINE_MM for side in per_pixel_mm)
    return per_pixel_mm if fine else None


def imagej_spacing(description: str, per_unit: tuple[float, float] | None) -> tuple[float, float] | None:
    """Spacing in mm of a TIFF that ImageJ wrote, by the unit in its header; None where it names no length."""
    unit = re.search(r"^unit=(.{1,12})$", description[:4096], re.MULTILINE)
    if not description.startswith("ImageJ=") or unit is None or per_unit is None or min(per_unit) <= 0:
        return None
    mm = MM.get(unit[1].replace("\\u00B5", "µ").strip().lower())
    return None if mm is None else _bounded(mm / per_unit[0], mm / per_unit[1])


def _size(pixels: ElementTree.Element) -> tuple[float, float] | None:
    """Height and width of a pixel in mm."""
    sides = []
    for axis in ("Y", "X"):
        size = _number(pixels.get(f"PhysicalSize{axis}"))
        mm = MM.get((pixels.get(f"PhysicalSize{axis}Unit") or "µm").lower())
        if size is None or mm is None:
            return None
        sides.append(size * mm)
    return _bounded(sides[0], sides[1])


def _bounded(height: float, width: float) -> tuple[float, float] | None:
    """Rounded to six digits, since what was written in micrometres is no longer exact in millimetres."""
    sides = float(f"{height:.6g}"), float(f"{width:.6g}")
    return sides if all(FINEST_MM <= side <= COARSEST_MM for side in sides) else None


def _all(element: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    return (below for below in element.iter() if below.tag.rpartition("}")[2] == name)


def _words(name: str) -> list[str]:
    return _WORD.findall(name.lower())


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None
