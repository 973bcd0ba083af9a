"""What a caption or an answer says, read from it by these word lists.

`said` gives the one entry whose words a text holds: said both, or not at all, is None and counts as wrong.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping

MODALITIES = {
    "CT": r"\b(?:ct|cta|ncct|nect|cect|hrct)\b|\bcomputed tomograph",
    "MR": r"\b(?:mri?|mra|flair)\b|\bmagnetic resonance|\bt[12][ -]?w(?:eighted)?\b",
}
PLANES = {
    "Axial": r"\b(?:axial|transverse|transaxial)\b",
    "Coronal": r"\bcoronal\b",
    "Sagittal": r"\b(?:mid|para)?-?sagittal\b",
}
LOCATIONS = {
    "Head": (
        r"\b(?:head|brain|skull|cranial|intracranial|cerebral|cerebell\w+|cerebrum|hemispheres?|basal ganglia|"
        r"thalam\w+|pons|pontine|brainstem|corpus callosum|orbits?|orbital|eyes?|optic|sinus(?:es)?|face|facial|neck|"
        r"sella|suprasellar|pituitary|(?:frontal|temporal|parietal|occipital) lobes?|lateral ventricles?)\b"
    ),
    "Thorax": (
        r"\b(?:thorax|chest|lungs?|pulmonary|pleura\w*|mediastin\w+|heart|cardiac|pericardi\w+|aortic arch|breasts?|"
        r"(?:upper|middle|lower) lobes?)\b|\bthoracic\b(?! (?:spine|spinal|vertebra|cord|disc))"
    ),
    "Abdomen": (
        r"\b(?:abdomen|abdominal|liver|hepatic|spleen|splenic|pancrea\w+|stomach|gastric|bowel|colon|cecum|ileum|"
        r"appendix|gallbladder|biliary|duoden\w+|mesenter\w+)\b"
    ),
    "Spine and Muscles": (
        r"\b(?:spine|spinal|vertebra\w*|lumbar|sacral|sacrum|muscles?|musculoskeletal|knees?|shoulders?|hips?|ankles?|"
        r"foot|feet|elbows?|wrists?|hands?|thighs?|legs?|arms?|limbs?|femur|femoral|tibia\w*|humer\w+|joints?|tendons?|"
        r"ligaments?|menisc\w+)\b"
    ),
    "Reproductive and Urinary System": (
        r"\b(?:reproductive|urinary|genitourinary|kidneys?|renal|ureter\w*|bladder|uterus|uterine|ovar\w+|adnexa\w*|"
        r"prostat\w+|pelvis|pelvic|testi\w+|scrot\w+|adrenals?)\b"
    ),
}
"""Parts of the body by the location category of `medpix` that they belong to."""
LOOKS = {
    "fluorescence": r"\bfluorescen|\bdapi\b|\bhoechst\b",
    "histology": r"\btissue\b|\bhisto(?:logy|logical|pathology)\b|\bh&e\b|\bha?ematoxylin\b|\bimmunohisto",
    "brightfield": r"\bbright[ -]?field\b",
}
ORGANS = {
    "HEAD": r"\b(?:head|brain|skull)\b",
    "CHEST": r"\b(?:chest|thorax|lungs?)\b",
    "ABD": r"\b(?:abdomen|belly)\b|\babdominal\b",
}
CELLS = {
    "neutrophil": r"\bneutrophil",
    "lymphocyte": r"\blymphocyt",
    "monocyte": r"\bmonocyt",
    "eosinophil": r"\beosinophil",
    "basophil": r"\bbasophil",
}
YES_NO = {"yes": r"^\W*yes\b", "no": r"^\W*no\b"}

RED_CELLS = r"(?:red (?:blood )?cell|erythrocyte|rbc)"
WHITE_CELLS = r"(?:white (?:blood )?cell|leu[kc]ocyte|wbc)"
PLATELETS = r"(?:platelet|thrombocyte)"
NUCLEI = r"nucle(?:us|i)"

_SMALL = (
    "no one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
).split()
_NUMBERS = {word: number for number, word in enumerate(_SMALL)} | {"zero": 0, "a": 1, "an": 1, "single": 1}
_ADJECTIVES = r"(?:(?!and\b|or\b|with\b|of\b|few\b)[a-z-]+ ){0,2}?"
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def said(text: str, words: Mapping[str, str]) -> str | None:
    """The one entry whose words the text holds; None where it holds none or several."""
    found = [name for name, pattern in words.items() if re.search(pattern, text, re.IGNORECASE)]
    return found[0] if len(found) == 1 else None


def number_said(text: str, noun: str) -> int | None:
    """The number before a noun, at most two adjectives between: 'about 30 bright nuclei' is 30, 'no nuclei' 0.

    None where there is no number, or two that differ.
    """
    found = _numbers(text, noun)
    return found.pop() if len(found) == 1 else None


def presence_said(text: str, noun: str) -> str | None:
    """'present' or 'absent': by the numbers before a noun; named without one is present. None: neither, or both."""
    states = {"present" if number else "absent" for number in _numbers(text, noun)}
    if re.search(rf"\b(?:without|absence of|free of) (?:any )?{_ADJECTIVES}{noun}", text, re.IGNORECASE):
        states.add("absent")
    if not states and re.search(rf"\b{noun}", text, re.IGNORECASE):
        states.add("present")
    return states.pop() if len(states) == 1 else None


def presence_answered(text: str) -> str | None:
    """'present' for an answer of yes, 'absent' for one of no."""
    return {"yes": "present", "no": "absent", None: None}[said(text, YES_NO)]


def normal(answer: str) -> str:
    """An answer as it is compared: yes or no where it starts so, else lower-case without punctuation."""
    return said(answer, YES_NO) or " ".join(answer.lower().translate(_NO_PUNCTUATION).split())


def _numbers(text: str, noun: str) -> set[int]:
    pattern = rf"\b(\d+|{'|'.join(_NUMBERS)}) {_ADJECTIVES}{noun}"
    found = [match[1].lower() for match in re.finditer(pattern, text, re.IGNORECASE)]
    return {int(word) if word.isdigit() else _NUMBERS[word] for word in found}
