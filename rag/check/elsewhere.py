"""By which words a sentence says that it is of someone else, of another thing, time or image."""

from __future__ import annotations

import re
from typing import Literal

Disagreement = Literal["side", "negation", "number", "modality", "plane"]

SOMEONE_ELSE = re.compile(
    r"\b(?:another|different|unrelated|other) (?:\w+ ){0,2}(?:patient|case|child|man|woman|subject|person|animal|"
    r"individual|victim|biopsy|specimen|sample|study)\b",
    re.IGNORECASE,
)
"""What is said of someone else cannot conflict."""


def _said_by(*words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE)


_ANOTHER_THING = r"second|third|(?<!no )other(?! than)|another|(?<!the )(?:smaller|larger)|additional"
_ANOTHER_TIME = (
    r"later|follow-?up|previous\w*|prior|earlier|initial\w*|formerly|then|resolved|baseline|pre-?operative\w*|"
    r"post-?operative\w*|history|resect\w*|removed|removal|excision|had (?:not )?been"
)
_AFTERWARDS = (
    r"discharge|after (?:\w+ ){0,3}(?:surgery|operation|treatment|therapy|chemotherapy|radiotherapy|\w*ectomy|"
    r"days?|weeks?|months?|years?|\w*(?<!admini)ing)"
)
_ANOTHER_PANEL = r"[b-h]\)"
_NOT_HERE = r"not (?:shown|performed|obtained|done|available|included|acquired)|contraindicated"
_ANOTHER_IMAGE = (
    r"correspond\w*|subsequent\w*|confirm\w*|inset|panel|fused|compar\w+|same patient|elsewhere|supplement\w*|"
    r"(?:was|were|is|are) (?:\w+ )?(?:normal|negative|unremarkable|inconclusive)|"
    r"(?:in|see) (?:the )?(?:fig(?:ure|s|\.)?|panel|part)s? [\da-z]|" + _NOT_HERE
)
ELSEWHERE: dict[Disagreement, re.Pattern[str]] = {
    "side": _said_by(_ANOTHER_THING, _ANOTHER_PANEL, r"not (?:shown|performed|obtained|included)"),
    "negation": _said_by(_ANOTHER_THING, _ANOTHER_TIME, _AFTERWARDS, _ANOTHER_PANEL),
    "number": _said_by(_ANOTHER_THING, _ANOTHER_TIME, _ANOTHER_PANEL),
    "modality": _said_by(_ANOTHER_THING, _ANOTHER_TIME, _ANOTHER_IMAGE, _ANOTHER_PANEL),
    "plane": _said_by(_ANOTHER_THING, _ANOTHER_TIME, _ANOTHER_IMAGE, _ANOTHER_PANEL),
}
"""A sentence with these speaks of another thing, time or image than the sentence before."""
LEGEND = re.compile(r"^[A-Za-z]{1,5}\d?\s*[:=]\s|\b[A-Z]{1,5}\s*=\s")
NOT_SHOWN = _said_by(_NOT_HERE, r"same patient|supplement\w*")
"""A sentence with these speaks of an image that is not this one."""
