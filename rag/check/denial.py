"""Which phrases of a sentence are denied.

In the manner of NegEx (Chapman et al., J Biomed Inform 2001): a cue denies what follows it, or what stands before it,
up to a word or sign that ends its reach. A denied phrase ends before its place: in "no fracture of the femur" it is the
fracture.
"""

from __future__ import annotations

from rag.check.lexicon import Cues, Lexicon, Token

Span = tuple[int, int]
"""The numbers of a phrase's first token and of the one behind its last."""

_ENDS = frozenset(
    "of in on at with within from into along around near involving is are was were has have had been be can could but "
    "although however while whereas though except show shows showed suggesting after before during despite to by which "
    "that favor favour favors argue argues argued speak support supports supported exclude confirm make makes allow "
    "led lead help distinguish imply implies rule mean means point showing demonstrating revealing depicting "
    "disclosing displaying indicating".split()
)
_VERBS = frozenset("is are was were has have had been be can could did does do show demonstrate reveal contain".split())
_COPULAS = frozenset("is are was were been be remain".split())
_ABSORBED = frozenset(
    "to be evidence sign any a an the of or for suggestion indication significant trace hint surrounded accompanied "
    "associated complicated followed by with".split()
)
_NEW_SUBJECT = frozenset("the a an normal there this left right both".split())
_AGAINST = frozenset("but while whereas although though however because since so as".split())
_DENIALS = frozenset("no not without".split())
_STOPS = frozenset(".;:()[]!?")
_SHOWING = frozenset("show shows showed has have contain contains demonstrate demonstrates".split())
_LOSS = frozenset({"loss", "depletion"})
_NONE = frozenset({"0", "zero"})
_TELLING = _LOSS | _NONE
"""Beside the first words of cues the only ones that deny anything."""
_NUMBERED = frozenset("grade stage type class level day week score group t n m".split())
"""Words whose 0 is no count."""
_MOST = 14
"""Tokens that a cue reaches at most."""


def denied_phrases(tokens: list[Token], words: Lexicon) -> tuple[list[Span], list[Span]]:
    """The phrases that are denied, in the order their cues come; and those denied in part ("no new nodules", "loss of
    neurons")."""
    denied: list[Span] = []
    partly: list[Span] = []
    place = 0
    while place < len(tokens):
        if tokens[place].word not in words.cue_words and tokens[place].word not in _TELLING:
            place += 1
            continue
        before, behind = (_longest(tokens, place, cues) for cues in (words.denies_preceding, words.denies_following))
        length = _longest(tokens, place, words.no_denial)
        lost = _longest(tokens, place, words.lost)
        if counted := _counted_none(tokens, place, words):
            denied.append(counted)
        if place and _is_loss(tokens, place, words):
            partly.append((place - 1, place))
        if length >= max(before, behind, lost):
            pass
        elif length := before if before > behind or (before == behind and _ends_a_clause(tokens, place, before)) else 0:
            denied += _before(tokens, place, words)
        elif lost > behind:
            length = lost
            partly += _behind(tokens, _absorbed(tokens, place + lost), words)
        elif length := behind:
            only = tokens[place].word == "non"
            start = _absorbed(tokens, place + length)
            in_part = start < len(tokens) and tokens[start].word in words.partly
            spans = [_next(tokens, place + 1)] if only else _behind(tokens, start, words)
            (partly if in_part else denied).extend(spans)
        place += length or 1
    return denied, partly


def _is_loss(tokens: list[Token], place: int, words: Lexicon) -> bool:
    """Whether a word says that what stands before it is gone or less: "proteoglycan loss"."""
    before, word = tokens[place - 1].word, tokens[place].word
    of = place + 1 < len(tokens) and tokens[place + 1].word == "of"
    return word in _LOSS and not of and (before, word) not in words.concepts and not tokens[place - 1].is_sign


def _counted_none(tokens: list[Token], place: int, words: Lexicon) -> Span | None:
    """What there is none of, by count: "0 white cells" has two tokens of it."""
    if tokens[place].word not in _NONE or (place and tokens[place - 1].word in _NUMBERED):
        return None
    for length in (3, 2, 1):
        phrase = tuple(token.word for token in tokens[place + 1 : place + 1 + length])
        if len(phrase) == length and phrase in words.concepts:
            return place + 1, place + 1 + length
    return None


def _ends_a_clause(tokens: list[Token], place: int, length: int) -> bool:
    """Whether a cue speaks of a subject before it ("flow is absent"), not of a thing behind it ("absent flow")."""
    after = tokens[place + length].word if place + length < len(tokens) else "."
    return (place > 0 and tokens[place - 1].word in _COPULAS) or after in _STOPS | _ENDS | {",", "and", "or"}


def _longest(tokens: list[Token], place: int, cues: Cues) -> int:
    """How many tokens the longest cue that begins at a place has; 0 for none. Its words may be hyphened."""
    for cue in cues.get(tokens[place].word, ()):
        end = place
        said: list[str] = []
        while end < len(tokens) and len(said) < len(cue) and (tokens[end].word == "-" or not tokens[end].is_sign):
            said += [tokens[end].word] if tokens[end].word != "-" else []
            end += 1
        if tuple(said) == cue:
            return end - place
    return 0


def _next(tokens: list[Token], place: int) -> Span:
    while place < len(tokens) and tokens[place].word == "-":
        place += 1
    return place, place + 1


def _absorbed(tokens: list[Token], start: int) -> int:
    """Where what is denied begins: behind "evidence of a"."""
    while start < len(tokens) and tokens[start].word in _ABSORBED:
        start += 1
    return start


def _behind(tokens: list[Token], start: int, words: Lexicon) -> list[Span]:
    """The phrases behind a cue: "no effusion, consolidation or pneumothorax" has three."""
    listed = _listed(tokens, start)
    neither = start > 0 and tokens[start - 1].word == "neither"
    spans: list[Span] = []
    begin = end = start
    while end < min(len(tokens), start + _MOST):
        word = tokens[end].word
        if word == "to" and end + 1 < len(tokens) and tokens[end + 1].word in ("suggest", "indicate"):
            spans.append((begin, end))
            begin = end = end + 2
            continue
        if neither and word in _SHOWING:  # "neither lung shows a pneumothorax"
            begin = end = end + 1
            neither = False
            continue
        if word in _ENDS or word in _STOPS or (word in _DENIALS and end > begin):
            break
        if word in (",", "or", "nor", "and"):
            follows = tokens[end + 1].word if end + 1 < len(tokens) else ""
            if (word == "," and not listed) or (word == "and" and _new_subject(follows, words)):
                break
            spans.append((begin, end))
            begin = end + 1
        end += 1
    return [span for span in (*spans, (begin, end)) if span[1] > span[0]]


def _new_subject(word: str, words: Lexicon) -> bool:
    """Whether a word behind an "and" begins what is no longer denied: "no fracture and preserved alignment"."""
    concept = words.concepts.get((word,))
    return word in _NEW_SUBJECT or (concept is not None and concept.name == "normal")


def _listed(tokens: list[Token], start: int) -> bool:
    """Whether commas ahead part the members of one list, which an "or" ends."""
    for token in tokens[start : start + _MOST]:
        if token.word in ("or", "nor"):
            return True
        if token.word in _STOPS or token.word in _ENDS:
            return False
    return False


def _before(tokens: list[Token], cue: int, words: Lexicon) -> list[Span]:
    """The phrases of the subject before a cue: "effusion in the left lung is absent" has one."""
    if cue and tokens[cue - 1].word in _VERBS:
        cue -= 1
    start = cue
    while start > 0 and tokens[start - 1].word not in _VERBS | _AGAINST | _STOPS | {","}:
        start -= 1
    spans: list[Span] = []
    begin, ended = start, False
    for place in range(start, cue + 1):
        word = tokens[place].word if place < cue else "and"
        if word in words.partly:
            return []
        if word in ("or", "nor", "and"):
            if not ended and place > begin:
                spans.append((begin, place))
            begin, ended = place + 1, False
        elif word in _ENDS and not ended:
            if any(token.word not in _ABSORBED for token in tokens[begin:place]):
                spans.append((begin, place))
                ended = True
            else:  # "signs of strain are absent"
                begin = place + 1
    return spans
