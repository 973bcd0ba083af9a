"""Retrieved text is data: what it must not do to a prompt, and how a text that tries is told.

Two walls. `neutral` writes any text so that it can be nothing but the text of its line: no line break, no numbered
line, no control token or speaker's label of any family's chat format, nothing invisible, no more than so many
characters. `instruction_in` finds texts that speak to the model that reads them; such evidence is left out
(`rag.distrust`). The first wall holds for every text; the second is a judgement and can be wrong either way.
"""

# ruff: noqa: RUF001 - look-alike letters are what this is about

from __future__ import annotations

import re
from functools import lru_cache

from rag.disguises import INVISIBLE, views
from rag.orders import order_quoted

MAX_CHARS = 2_000
"""Of a text in the prompt."""
MAX_JUDGED_CHARS = 4 * MAX_CHARS
"""Of a text as it is, of which `neutral` reads no more either."""
MAX_QUOTE_CHARS = 80

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_WIDE = str.maketrans("＜＞｜［］＃﹤﹥", "<>|[]#<>")
_NUMBER = re.compile(r"[\[【〔〖⟦]\s*(\d[\d\s,;–-]{0,20})[\]】〕〗⟧]")
_PROSE_TAG = r"/?(?:i|b|em|strong|su[bp]|p|br)\s*/?>"
_ANGLE = re.compile(rf"<(?!{_PROSE_TAG})(?=[A-Za-z/|!_<])", re.IGNORECASE)
_SQUARE = re.compile(
    r"\[(?=/?(?:INST|SYS|SYSTEM|USER|ASSISTANT|HUMAN|IMG|IMG_BREAK|IMG_END|IMAGE|CLS|SEP|PAD|MASK|UNK|BOS|EOS|TOOL\w*|"
    r"AVAILABLE_TOOLS|PREFIX|SUFFIX|MIDDLE)\])",
    re.IGNORECASE,
)
_SPEAKERS = r"system|assistant|user|human|developer|model|tool|ai|bot"
_LABEL = re.compile(
    rf"((?:^|[.!?\])}}>\"'|]\s*)(?i:{_SPEAKERS})|\b(?:{_SPEAKERS.title()}|{_SPEAKERS.upper()}))\s*:(?=\s|\W|[A-Z])"
)
_MARKS = re.compile(r"#{2,}|`{3,}|~{3,}")


def clean(text: str, limit: int = MAX_CHARS) -> str:
    """`text` on one line, without control characters, at most `limit` characters."""
    return " ".join(_CONTROL.sub(" ", text).split())[:limit]


def neutral(text: str, limit: int = MAX_CHARS) -> str:
    """`text` as a line of a prompt may hold it: as `clean` has it, and able to be no mark of the prompt or the chat.

    Bracketed numbers become round ones, since square brackets number the evidence; a space breaks `< |im_end|>` and
    `[ INST]`; a speaker's label loses its colon; invisible characters and those that turn the direction go.
    """
    text = INVISIBLE.sub("", text[: 4 * limit]).translate(_WIDE)
    text = _NUMBER.sub(lambda match: f"({match[1].strip()})", clean(text, 2 * limit))
    text = _SQUARE.sub("[ ", _ANGLE.sub("< ", text))
    text = _MARKS.sub(lambda match: match[0][0], text)
    return _LABEL.sub(r"\1 -", text)[:limit]


@lru_cache(maxsize=4096)
def instruction_in(text: str) -> str | None:
    """The words, at most MAX_QUOTE_CHARS, by which a text gives orders to the model that reads it; None: it gives none.

    Judged is the text as a reader would make it out (`rag.disguises`), each way that it can be read.
    """
    quotes = (order_quoted(view) for view in views(text[:MAX_JUDGED_CHARS]))
    return next((neutral(quote, MAX_QUOTE_CHARS) for quote in quotes if quote), None)
