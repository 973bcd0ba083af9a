"""What a caption or an answer says, read from it by word lists: those of `configs/content/`, and some of the benchmark.

`said` gives the one value whose words a text holds: said both, or not at all, is None and counts as wrong.
"""

from __future__ import annotations

import re
import string

from rag.content import Content, patterns, said

RADIOLOGY, MICROSCOPY = Content.load("radiology"), Content.load("microscopy")
MODALITIES = {kind: RADIOLOGY.of("modality")[kind] for kind in ("CT", "MR")}
"""The kinds of image that `medpix` has."""
PLANES = RADIOLOGY.of("plane")
LOCATIONS = RADIOLOGY.of("location")
LOOKS = MICROSCOPY.of("look")
CELLS = MICROSCOPY.of("cell")
ORGANS = patterns({"HEAD": "head, brain, skull", "CHEST": "chest, thorax, lungs?", "ABD": "abdomen, belly, abdominal"})
YES_NO = {"yes": re.compile(r"^\W*yes\b", re.IGNORECASE), "no": re.compile(r"^\W*no\b", re.IGNORECASE)}

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
