"""The terminal form: what is on the screen, and what a key does. It reads no keys and prints nothing itself."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Literal

from evaluation.ratings.session import Page, Session
from evaluation.ratings.types import HIGHEST, LOWEST, QUESTIONS, Answer, Preferred, Question, Shown

Effect = Literal["draw", "quit", "comment", "edit", "open"]
"""What is to be done after a key: draw anew, leave, ask for a line of text, show the image."""

MEANING: dict[Question, str] = {
    "accuracy": "is what it says true of the image?",
    "completeness": "does it say all that matters?",
    "usefulness": "could you use it as it stands?",
}
LETTERS = "AB"
ENTER = ("\r", "\n")
SCORES = tuple(map(str, range(LOWEST, HIGHEST + 1)))
LEFT: dict[str, Preferred] = {"1": "first", "2": "second", "3": "tie"}
SAID: dict[Preferred, str] = {"first": "A", "second": "B", "tie": "no difference"}
SIDES: dict[Preferred, Preferred] = {"first": "second", "second": "first", "tie": "tie"}
MAX_WIDTH = 100


class Form:
    """One rater's screen. After `press`, do what it says, then show `screen` again."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._said = ""
        self._given: list[Question] = []
        self._evidence = False
        self._draft = Answer()
        self._begin()

    @property
    def finished(self) -> bool:
        """Whether all items have an answer or were passed."""
        return self._session.finished

    @property
    def page(self) -> Page:
        """What is shown. Not to be asked for once `finished`."""
        return self._session.page()

    @property
    def edited(self) -> str:
        """The text as the rater has it so far."""
        return self._draft.edited or self.page.texts[0]

    @property
    def commented(self) -> str:
        """The comment as the rater has it so far."""
        return self._draft.comment

    def press(self, key: str) -> Effect:
        """What a key does; an unknown one is told of."""
        self._said = ""
        if key == "q":
            return "quit"
        if key == "b":
            if self._session.back():
                self._begin()
            else:
                self._said = "this is the first one"
            return "draw"
        if self.finished:
            return "draw"
        return self._press(key)

    def comment(self, text: str) -> None:
        """Keeps a comment with the answer to come."""
        if not _same(text, self.commented):
            self._draft = replace(self._draft, comment=text.strip())

    def edit(self, text: str) -> None:
        """Keeps the text as the rater would have it; the text as it was is no edit."""
        if _same(text, self.page.texts[0]):
            self._draft = replace(self._draft, edited="")
        elif not _same(text, self.edited):
            self._draft = replace(self._draft, edited=text.strip())

    def screen(self, width: int = 80, preview: str = "") -> str:
        """The whole screen as text, `preview` under the image's name."""
        width = min(width, MAX_WIDTH)
        session = self._session
        if session.finished:
            return f"{session.rater}\n\nThat was the last one. Thank you.\n\n[b] back  [q] quit\n"
        page = self.page
        lines = [
            f"{session.rater}   {page.position + 1} of {page.total}, {page.done} answered",
            "",
            f"image  {_plain(Path(page.image).name)}",
            *([preview] if preview else []),
            "",
        ]
        if page.question:
            lines += [*_wrapped(f"Question: {page.question}", width), ""]
        for letter, text in zip(LETTERS, page.texts, strict=False):
            lines += [*_wrapped(text, width, f"{letter}  " if page.kind == "pairwise" else "   "), ""]
        if self._evidence:
            lines += [*_evidence(page, width), ""]
        lines += [*(self._scores() if page.kind == "single" else self._preference(page)), *self._notes(width), ""]
        lines += [self._said] if self._said else []
        return "\n".join([*lines, *self._keys(page)]) + "\n"

    def _press(self, key: str) -> Effect:
        page = self.page
        if key == "s":
            self._save(Answer(comment=self._draft.comment, skipped=True))
        elif key in ENTER and page.answer is not None:
            self._keep(page.answer)
        elif key in ("c", "o"):
            return "comment" if key == "c" else "open"
        elif key == "e" and page.kind == "single":
            return "edit"
        elif key == "v":
            self._evidence = not self._evidence
        elif page.kind == "pairwise" and key in LEFT:
            shown = LEFT[key]
            self._save(replace(self._draft, preferred=SIDES[shown] if page.swapped else shown))
        elif page.kind == "single" and key in SCORES:
            self._score(int(key))
        else:
            self._said = f"{_plain(key)!r} is no key here" if key not in ENTER else "not answered yet: s skips"
        return "draw"

    def _score(self, score: int) -> None:
        question = self._asked()
        self._draft = self._draft.scored(question, score)
        self._given.append(question)
        if len(self._given) == len(QUESTIONS):
            self._save(self._draft)

    def _keep(self, answer: Answer) -> None:
        """On to the next; a comment or an edit that is new is kept with the scores there were."""
        noted = replace(answer, comment=self._draft.comment, edited=self._draft.edited)
        if noted == answer or answer.skipped:
            self._session.forward()
            self._begin()
        else:
            self._save(noted)

    def _save(self, answer: Answer) -> None:
        self._said = "changed" if self._session.save(answer) == "replaced" else ""
        self._begin()

    def _begin(self) -> None:
        """A fresh draft for the item that is shown now, with the notes there were."""
        self._given, self._evidence = [], False
        before = None if self.finished else self.page.answer
        self._draft = Answer() if before is None else Answer(comment=before.comment, edited=before.edited)

    def _asked(self) -> Question:
        return QUESTIONS[len(self._given)]

    def _scores(self) -> list[str]:
        before = self.page.answer
        lines = []
        for question in QUESTIONS:
            given = self._draft.score(question)
            earlier = None if before is None else before.score(question)
            mark = str(given) if given else "?" if question == self._asked() else " "
            note = f" (was {earlier})" if earlier and not given else ""
            lines.append(f"  {question:<13} {mark}   {MEANING[question]}{note}")
        return lines

    def _preference(self, page: Page) -> list[str]:
        lines = ["Which describes the image better?"]
        if page.answer is not None and page.answer.preferred is not None:
            shown = SIDES[page.answer.preferred] if page.swapped else page.answer.preferred
            lines.append(f"  you said: {SAID[shown]}")
        return lines

    def _notes(self, width: int) -> list[str]:
        lines = ["  you skipped it"] if self.page.answer is not None and self.page.answer.skipped else []
        for name in ("comment", "edited"):
            if text := getattr(self._draft, name):
                lines += ["", *_wrapped(text, width, f"  {name}: ")]
        return lines

    def _keys(self, page: Page) -> list[str]:
        scores = f"[{LOWEST}-{HIGHEST}] score, {HIGHEST} is best"
        answer = "[1] A  [2] B  [3] no difference" if page.kind == "pairwise" else scores
        view = f"[v] {'hide' if self._evidence else 'show'} evidence  " if page.offers_evidence else ""
        keep = "[enter] keep  " if page.answer is not None else ""
        edit = "[e] edit the text  " if page.kind == "single" else ""
        return [
            f"{answer}  {keep}[s] skip  [b] back  [q] quit",
            f"{view}[p] preview  [o] open the image  [c] comment  {edit}".rstrip(),
        ]


def _same(text: str, other: str) -> bool:
    """Whether texts differ in white space at most: a line of the keyboard has one space for every break of a line."""
    return text.split() == other.split()


def _evidence(page: Page, width: int) -> list[str]:
    lines = []
    for letter, shown in zip(LETTERS, page.evidence, strict=False):
        title = f"evidence of {letter}" if page.kind == "pairwise" else "evidence"
        lines += [f"{title}:" if shown else f"{title}: none"]
        lines += [line for each in shown for line in _wrapped(_line(each), width, "   ")]
    return lines


def _line(shown: Shown) -> str:
    number = f"[{shown.number}] " if shown.number is not None else ""
    title = f"{shown.title}: " if shown.title else ""
    about = ", ".join(part for part in (shown.source, shown.license, shown.url) if part)
    return f"{number}{title}{shown.text} ({about})"


def _wrapped(text: str, width: int, before: str = "") -> list[str]:
    after = " " * len(before)
    lines: list[str] = []
    for part in _plain(text).split("\n"):
        lines += textwrap.wrap(part, width, initial_indent=after if lines else before, subsequent_indent=after) or [""]
    return lines


def _plain(text: str) -> str:
    """`text` without what would steer the terminal or turn its direction."""
    return "".join(char if char == "\n" or char.isprintable() else " " for char in text)
