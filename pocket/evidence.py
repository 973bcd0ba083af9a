"""What several captions of similar images tell together: the rule that the generator is taught to follow.

Reads captions by word lists; knows nothing of images or prompts.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pocket.facts import Facts, Kind
from pocket.language import read_facts

RADIOLOGY: tuple[Kind, ...] = ("ct", "mr", "xray")
IMAGES_VOTE = {"kind": 1.0, "organ": 0.25, "plane": 0.25}
"""What the image's own vote weighs beside the nearest caption's 1. Real images of 206 patients teach the modality, but
hardly any plane or part of the body beyond three: of these it decides only what captions leave nearly even."""
_REGIONS: dict[str, tuple[str, ...]] = {
    "head": ("Head", "Brain", "Brain and Neuro", "Skull"),
    "chest": ("Chest", "Thorax", "Chest, Pulmonary", "Lungs"),
    "abdomen": ("Abdomen", "Gastrointestinal", "Abdomen, Hepatobiliary"),
    "pelvis": ("Pelvis",),
    "spine": ("Spine", "Vertebral column"),
    "knee": ("Knee",),
    "neck": ("Neck", "Head and Neck"),
    "heart": ("Heart", "Cardiac"),
}
OTHER_REGIONS = (
    "spine and muscles", "reproductive and urinary system", "eye and orbit", "bones and joints", "lower limb",
    "upper limb", "hand and wrist", "foot and ankle", "breast", "skin and soft tissue", "thyroid", "temporal bone",
    "kidneys and ureters", "liver and bile ducts", "teeth and jaws", "spinal cord", "great vessels", "lymph nodes",
    "nasal cavity and sinuses", "pituitary region", "shoulder girdle", "adrenal glands", "pancreas", "small bowel",
    "musculoskeletal system", "urinary bladder", "uterus and ovaries", "prostate", "mediastinum", "skull base",
)  # fmt: skip
_KIND_NAMES: dict[str, tuple[str, ...]] = {"ct": ("CT",), "mr": ("MR", "MRI"), "xray": ("X-ray", "XR")}
_FORMS = (
    "{plane} {kind}, {region}. {text}", "{kind}, {plane}, {region}. {text}", "{plane} {kind} of the {region}. {text}",
    "{region}: {plane} {kind}. {text}", "{kind}; {region}; {plane}. {text}", "{text} ({plane} {kind}, {region})",
    "Modality: {kind}. Plane: {plane}. Region: {region}. {text}",
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    """A caption and what its words settle: kind "unknown" where they settle none."""

    text: str
    facts: Facts


def read(text: str) -> Told:
    """A caption with what its words settle, each part of it alone."""
    return Told(text, read_facts(text))


def templated(facts: Facts, text: str, rng: random.Random) -> Told:
    """A caption with modality, plane and region by name before or behind it, as an index of labelled images has it."""
    organ = facts.organ
    if organ is None or rng.random() < 0.3:
        organ = rng.choice(OTHER_REGIONS) if organ is None or organ in OTHER_REGIONS else organ
    region = rng.choice(_REGIONS.get(organ, (organ.capitalize(), organ)))
    plane = facts.plane or rng.choice(("axial", "coronal", "sagittal"))
    names = {"plane": plane.capitalize(), "kind": rng.choice(_KIND_NAMES[facts.kind]), "region": region, "text": text}
    return Told(rng.choice(_FORMS).format(**names).strip(), replace(facts, organ=organ, plane=plane))


def vote(image: Facts | None, told: Sequence[Facts]) -> Facts:
    """What image and captions settle together.

    Every caption votes on each part that it states, the nth by 1/n, and the image by `IMAGES_VOTE`: the nearest
    caption is outvoted where three others agree. Whether it is an X-ray, only the image says.
    """
    first = Facts("unknown") if image is None else image
    if first.kind == "xray":
        return first if first.organ else replace(first, organ=_most([t.organ for t in told]))
    allowed = RADIOLOGY if image is None else ("ct", "mr")
    seen = None if image is None else first.kind
    kind = _most([t.kind if t.kind in allowed else None for t in told], seen, IMAGES_VOTE["kind"])
    organ = _most([t.organ for t in told], first.organ, IMAGES_VOTE["organ"])
    plane = _most([t.plane for t in told], first.plane, IMAGES_VOTE["plane"]) if kind != "xray" else None
    return Facts(kind or "unknown", organ=organ, plane=plane)  # type: ignore[arg-type]


def agreed(names: Sequence[str]) -> str:
    """The name that wins the captions' vote."""
    return _most(names) or ""


def _most(told: Sequence[str | None], image: str | None = None, weight: float = 0.0) -> str | None:
    votes: dict[str, float] = {}
    for rank, name in enumerate(told, start=1):
        if name:
            votes[name] = votes.get(name, 0) + 1 / rank
    if image:
        votes[image] = votes.get(image, 0) + weight
    return max(votes, key=votes.__getitem__) if votes else None
