"""Pictures of documents whose fields are known: prescriptions, reports, blood counts, letters.

Every document is drawn from its number alone: its values, the order of its fields, the size of its type, a slight tilt,
the noise of a scan. The words are common ones of the trade, the names those of people long dead.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from imaging import LoadedImage, decode

WIDTH, HEIGHT = 900, 700
NAMES = "Ada Byron,Grace Hopper,Alan Turing,Emmy Noether,Rosalind Franklin,Louis Pasteur,Marie Curie,Carl Linnaeus"
DRUGS = "amoxicillin,ibuprofen,metformin,ramipril,atorvastatin,omeprazole,salbutamol,furosemide,apixaban,levothyroxine"
FINDINGS = "no focal consolidation,small left pleural effusion,cardiomegaly,a nodule in the right upper lobe,"\
    "mild degenerative change,no fracture,basal atelectasis,a simple renal cyst"  # fmt: skip
DIAGNOSES = "pneumonia,heart failure,type 2 diabetes,asthma,atrial fibrillation,hypertension,cholecystitis,sepsis"
Draw = np.random.Generator


@dataclass(frozen=True)
class Document:
    """A document's picture, the schema that its fields are asked for with, and the fields."""

    kind: str
    schema: dict[str, Any]
    fields: dict[str, Any]
    image: LoadedImage


def document(number: int) -> Document:
    """The document of this number: the kinds come in turn."""
    random = np.random.default_rng(number)
    kind, (make, schema) = list(KINDS.items())[number % len(KINDS)]
    fields = make(random)
    return Document(kind, schema, fields, _drawn(kind, fields, random, f"document-{number}"))


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


TEXT: dict[str, Any] = {"type": "string"}
WHOLE: dict[str, Any] = {"type": "integer", "minimum": 0}
NUMBER: dict[str, Any] = {"type": "number", "minimum": 0}
DATE: dict[str, Any] = {"type": "string", "format": "date"}


def _one_of(random: Draw, words: str) -> str:
    return str(random.choice(words.split(",")))


def _several(random: Draw, words: str) -> list[str]:
    return [str(w) for w in random.choice(words.split(","), size=random.integers(1, 4), replace=False)]


def _date(random: Draw) -> str:
    return f"20{random.integers(10, 27)}-{random.integers(1, 13):02d}-{random.integers(1, 29):02d}"


def _prescription(random: Draw) -> dict[str, Any]:
    medications = [
        {"name": drug, "dose": int(random.integers(1, 20)) * 25, "unit": str(random.choice(["mg", "ml"])),
         "times_daily": int(random.integers(1, 5))}
        for drug in _several(random, DRUGS)
    ]  # fmt: skip
    return {"patient": _one_of(random, NAMES), "date": _date(random), "medications": medications}


def _radiology(random: Draw) -> dict[str, Any]:
    return {
        "modality": str(random.choice(["CT", "MR", "radiograph"])),
        "body_part": _one_of(random, "chest,abdomen,head,knee,spine"),
        "findings": _several(random, FINDINGS),
        "contrast": bool(random.integers(0, 2)),
    }


def _blood_count(random: Draw) -> dict[str, Any]:
    return {
        "patient": _one_of(random, NAMES),
        "hemoglobin_g_dl": round(float(random.uniform(7, 18)), 1),
        "white_cells_per_nl": round(float(random.uniform(1, 30)), 1),
        "platelets_per_nl": int(random.integers(20, 600)),
    }


def _pathology(random: Draw) -> dict[str, Any]:
    return {
        "specimen": _one_of(random, "colon,breast,prostate,skin,thyroid"),
        "diagnosis": _one_of(random, "adenocarcinoma,ductal carcinoma,melanoma,no malignancy,papillary carcinoma"),
        "grade": int(random.integers(1, 4)),
        "size_mm": int(random.integers(2, 70)),
        "margins": str(random.choice(["clear", "involved", "not assessed"])),
    }


def _discharge(random: Draw) -> dict[str, Any]:
    return {
        "patient": _one_of(random, NAMES),
        "admitted": _date(random),
        "diagnoses": _several(random, DIAGNOSES),
        "follow_up_days": int(random.integers(3, 60)),
    }


MEDICATION = _object(name=TEXT, dose=NUMBER, unit={"enum": ["mg", "ml"]}, times_daily=WHOLE)
KINDS: dict[str, tuple[Callable[[Draw], dict[str, Any]], dict[str, Any]]] = {
    "prescription": (
        _prescription,
        _object(patient=TEXT, date=DATE, medications={"type": "array", "items": MEDICATION, "minItems": 1}),
    ),
    "radiology report": (
        _radiology,
        _object(
            modality={"enum": ["CT", "MR", "radiograph"]}, body_part=TEXT,
            findings={"type": "array", "items": TEXT}, contrast={"type": "boolean"},
        ),
    ),
    "blood count": (
        _blood_count,
        _object(patient=TEXT, hemoglobin_g_dl=NUMBER, white_cells_per_nl=NUMBER, platelets_per_nl=WHOLE),
    ),
    "pathology report": (
        _pathology,
        _object(
            specimen=TEXT, diagnosis=TEXT, grade={"type": "integer", "minimum": 1, "maximum": 3}, size_mm=WHOLE,
            margins={"enum": ["clear", "involved", "not assessed"]},
        ),
    ),
    "discharge letter": (
        _discharge,
        _object(patient=TEXT, admitted=DATE, diagnoses={"type": "array", "items": TEXT}, follow_up_days=WHOLE),
    ),
}  # fmt: skip


def _drawn(kind: str, fields: dict[str, Any], random: Draw, name: str) -> LoadedImage:
    page = Image.new("L", (WIDTH, HEIGHT), int(random.integers(235, 256)))
    draw, size = ImageDraw.Draw(page), int(random.integers(20, 29))
    plain, large = ImageFont.load_default(size), ImageFont.load_default(int(size * 1.5))
    top, gap, column = 40, int(size * 1.5), int(random.integers(250, 340))
    draw.text((50, top), kind.capitalize(), font=large, fill=20)
    top += 2 * gap
    keys = list(fields)
    random.shuffle(keys)
    for key in keys:
        title = key.replace("_", " ").capitalize()
        for line, text in enumerate(_lines(fields[key])):
            if line == 0:
                draw.text((50, top), f"{title}:", font=plain, fill=60)
            draw.text((50 + column, top), text, font=plain, fill=10)
            top += gap
    page = page.rotate(float(random.uniform(-1.5, 1.5)), fillcolor=240, resample=Image.Resampling.BICUBIC)
    page = page.filter(ImageFilter.GaussianBlur(float(random.uniform(0, 0.8))))
    scanned = np.clip(np.asarray(page, np.float32) + random.normal(0, 5, (HEIGHT, WIDTH)), 0, 255).astype(np.uint8)
    packed = io.BytesIO()
    Image.fromarray(scanned).convert("RGB").save(packed, "PNG")
    return decode(packed.getvalue(), name)


def _lines(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for each in value for text in _lines(each)]
    if isinstance(value, dict):
        return [f"{value['name']} {value['dose']} {value['unit']}, {value['times_daily']} x daily"]
    return [{True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)]
