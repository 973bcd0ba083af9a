"""Texts to learn language from: radiology captions under CC BY and health answers under CC BY.

Reads `text/` of a data folder; knows nothing of images.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]

from pocket.facts import Facts, Kind

_KIND_WORDS: tuple[tuple[Kind, str], ...] = (
    ("mr", r"\b(mri|mr|mra|magnetic resonance|t1|t2|flair|t1-weighted|t2-weighted|diffusion[- ]weighted|gadolinium)\b"),
    ("ct", r"\b(ct|cta|cect|hrct|computed tomograph\w*|computeri[sz]ed tomograph\w*|tomograph\w*)\b"),
    ("xray", r"\b(x-?rays?|radiographs?|roentgenogra\w*|plain films?|orthopantomogra\w*|panoramic)\b"),
)
_OTHER = (
    r"\b(ultraso\w*|sonogra\w*|echocardio\w*|doppler|angiogra\w*|pet|spect|fluorosc\w*|scintigra\w*|mammogra\w*|"
    r"endoscop\w*|venogra\w*)\b"
)
_ORGAN_WORDS = (
    ("head", r"\b(brain|head|skull|cerebr\w*|cranial|intracranial|ventricles?|orbit\w*|pituitary|sella\w*)\b"),
    ("chest", r"\b(chest|thora\w*|lungs?|pulmonary|mediastin\w*|pleura\w*|hilar)\b"),
    ("abdomen", r"\b(abdom\w*|liver|hepatic|kidneys?|renal|pancrea\w*|spleen|bowel|colon|stomach|gallbladder)\b"),
    ("pelvis", r"\b(pelvi\w*|uter\w*|ovar\w*|prostat\w*|bladder|hips?|sacr\w*)\b"),
    ("spine", r"\b(spin\w*|vertebra\w*|lumbar|cervical|disc)\b"),
    ("knee", r"\b(knees?|tibia\w*|patella\w*|femur|femoral)\b"),
    ("teeth", r"\b(teeth|tooth|dental|molars?|mandib\w*|maxill\w*|root canal|periapical)\b"),
    ("neck", r"\b(neck|thyroid|laryn\w*|pharyn\w*|parotid)\b"),
    ("hand", r"\b(hands?|wrists?|fingers?|metacarp\w*)\b"),
    ("shoulder", r"\b(shoulders?|humer\w*|scapul\w*|clavic\w*)\b"),
    ("foot", r"\b(foot|feet|ankles?|calcane\w*|metatars\w*)\b"),
    ("heart", r"\b(cardiac|heart|ventricular|atri\w*|aort\w*|coronary)\b"),
)
_PLANES = (("axial", r"\b(axial|transvers\w*)\b"), ("coronal", r"\bcoronal\b"), ("sagittal", r"\bsagittal\b"))


@dataclass(frozen=True)
class Figure:
    """A figure's caption, its article, and what its words settle: None where they settle no kind."""

    text: str
    article: str
    facts: Facts | None


def read_facts(text: str) -> Facts:
    """Kind, body part and plane as far as a radiology caption states one of each; kind "unknown" where it does not."""
    low = text.lower()
    kinds = [kind for kind, words in _KIND_WORDS if re.search(words, low)]
    kind = kinds[0] if len(kinds) == 1 and not re.search(_OTHER, low) else "unknown"
    organs = [organ for organ, words in _ORGAN_WORDS if re.search(words, low)]
    planes = [plane for plane, words in _PLANES if re.search(words, low)]
    plane = planes[0] if len(planes) == 1 and kind != "xray" else None
    return Facts(kind, organ=organs[0] if len(organs) == 1 else None, plane=plane)


def figures(data: Path) -> list[Figure]:
    """The ROCO captions whose licence is plain CC BY or CC0."""
    found = []
    with (data / "text" / "roco_captions.jsonl").open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if row["license"] in ("CC BY", "CC0"):
                text = " ".join(row["caption"].split())
                if 15 <= len(text) <= 600:
                    facts = read_facts(text)
                    found.append(Figure(text, row["pmc"], None if facts.kind == "unknown" else facts))
    return found


def answers(data: Path, limit: int) -> list[str]:
    """Answers of MedQuAD, `limit` of them spread over the file, each cut to its first 600 characters."""
    with (data / "text" / "medquad.jsonl").open(encoding="utf-8") as file:
        lines = file.readlines()
    texts = [" ".join(json.loads(line)["text"].split()) for line in lines[:: max(1, len(lines) // limit)]]
    return [text[:600] for text in texts if len(text) > 60]


def neighbours(texts: Sequence[Figure], k: int) -> list[list[int]]:
    """For each caption, the `k` nearest of other articles by tf-idf."""
    matrix = TfidfVectorizer(sublinear_tf=True, min_df=2).fit_transform([figure.text for figure in texts])
    articles = np.array([figure.article for figure in texts])
    nearest = []
    for start in range(0, len(texts), 512):
        scores = (matrix[start : start + 512] @ matrix.T).toarray()
        for row, score in enumerate(scores):
            score[articles == articles[start + row]] = -1.0
            nearest.append([int(i) for i in np.argsort(-score)[:k]])
    return nearest
