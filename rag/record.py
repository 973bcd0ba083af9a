"""What was generated -> the record of its request, checked; or why it is not what was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from rag.alike import sentence_of
from rag.check import split_sentences
from rag.checking import Checking, check_warnings
from rag.config import Settings
from rag.errors import AnswerError
from rag.fields import read_fields, texts_of
from rag.one_trunk import was_read_once
from rag.prompts import VERSION_DIGITS, PromptTemplate, Task
from rag.provenance import prompt_sha256, run_of
from rag.types import (
    STAGES,
    Checks,
    Choice,
    Confidence,
    Description,
    Failure,
    PreparedRequest,
    Run,
    Sentence,
    Speaker,
    Stopwatch,
    Tokens,
)
from vlm.types import Generation, Prompt


class Recorder:
    """Writes records. `index` is how the index is named in them, None where there is none."""

    def __init__(
        self,
        settings: Settings,
        speaker: Speaker,
        templates: Mapping[Task, PromptTemplate],
        index: str | None,
        checking: Checking,
    ) -> None:
        self._settings = settings
        self._check = settings.check
        self._speaker = speaker
        self._templates = templates
        self._index = index
        self._checker = checking.checker
        self._reliance = checking.reliance

    def outcome(
        self,
        item: PreparedRequest,
        generation: Generation,
        timings: dict[str, float],
        choice: Choice | None = None,
        together: int = 1,
    ) -> Description | Failure:
        """The record of a request, or why its answer is not what was asked for.

        `together` counts the requests that were put to the model in one go.
        """
        request, clock = item.request, Stopwatch()
        fields = None
        with clock.measure("check"):
            if request.schema is not None:
                try:
                    fields = read_fields(generation.text, request.schema)
                except AnswerError as error:
                    return Failure(request, f"{request.id}: {error}{_cut_short(generation)}", "answer")
            told = self._cannot_tell(generation.text, fields)
            checks, confidence = Checks(), None
            if told and fields is None:
                checks = Checks(tuple(Sentence(text, (), 0.0) for text in split_sentences(generation.text)))
            elif request.schema is None and choice is None:
                checks = self._checker.check(generation.text, item.prompt.evidence)
                confidence = self._reliance.confidence(generation, item.prompt.evidence, checks, item.votes)
            why = self._why_abstained(told, confidence)
            alike = None if why else self._alike(item, generation)
        engine = self._speaker.engine
        withheld = bool(why) and not told
        text = "" if withheld else generation.text
        if alike is not None:
            text = f"{text} {alike.text}"
            checks = replace(checks, sentences=(*checks.sentences, alike))
        return Description(
            request=request,
            images=item.images,
            text=text,
            checks=replace(checks, sentences=()) if withheld else checks,
            evidence=item.prompt.evidence,
            model=f"{engine.model}@{engine.fingerprint[:VERSION_DIGITS]}",
            adapter=engine.adapter,
            prompt=self._templates[request.task].version,
            index=self._index,
            params=self._speaker.params,
            timings_s=_complete(timings | {"generate": generation.seconds, **clock.seconds}),
            tokens=Tokens(generation.prompt_tokens, generation.new_tokens),
            stop=generation.stop,
            mean_logprob=generation.mean_logprob,
            abstained=bool(why),
            abstained_because=why,
            withheld=generation.text if withheld else None,
            confidence=confidence,
            warnings=(*item.warnings, *self._warnings(item, generation, choice), *check_warnings(checks, self._check)),
            fields=fields,
            choice=choice,
            left_out=item.left_out,
            prompt_sha256=prompt_sha256(item.prompt.prompt),
            run=replace(self._run, together=together, model=self._loaded(item.prompt.prompt)),
        )

    def _alike(self, item: PreparedRequest, generation: Generation) -> Sentence | None:
        """What a caption's evidence names alike, to stand behind it: of a caption in English that came to its end."""
        english = self._settings.prompt.language.strip().lower() == "english"
        if not (self._check.named_alike and english and item.request.task == "caption" and generation.stop == "end"):
            return None
        return sentence_of(generation.text, item.prompt.evidence, self._reliance.electorate.content)

    def _loaded(self, prompt: Prompt) -> dict[str, Any]:
        """How the model was loaded; what the embedder read for it is in the precision of all the rest."""
        read = was_read_once(self._speaker.engine, prompt)
        return {**self._run.model, "vision_dtype": "model"} if read else self._run.model

    @cached_property
    def _run(self) -> Run:
        """The same for all; written down with the first, since some of it is known once the model is loaded."""
        return run_of(self._settings, self._speaker)

    def _why_abstained(self, told: bool, confidence: Confidence | None) -> str | None:
        """Why a description is none, in one line; None where it is one."""
        threshold = self._reliance.threshold
        if told:
            return "the model says that it cannot tell"
        if confidence is not None and confidence.score < threshold:
            setting = "check.abstain_below" if self._check.calibration is None else "check.calibration"
            return f"confidence {confidence.score:.2f} is below {threshold:.2f} ({setting})"
        return None

    def _cannot_tell(self, text: str, fields: Any) -> bool:
        """Whether the text is one of the model's ways to say that it cannot tell, or one of the fields holds one."""
        ways = {_plain(way) for way in self._speaker.abstentions}
        return _plain(text) in ways or any(way in _plain(held) for held in texts_of(fields) for way in ways)

    def _warnings(self, item: PreparedRequest, generation: Generation, choice: Choice | None) -> Iterator[str]:
        check, weak = self._check, self._check.weak_evidence
        best = max((e.score for e in item.prompt.evidence if e.kind == "example"), default=None)
        if best is not None and best < weak:
            yield f"weak evidence: the nearest example scores {best:.2f} (check.weak_evidence {weak:g})"
        if generation.stop == "length":
            yield f"the text was cut off at {generation.new_tokens} tokens (generation.max_new_tokens)"
        if generation.stop == "time":
            yield f"the text was cut off after {self._speaker.params.time_limit_s:g} s (generation.time_limit_s)"
        if choice is not None and choice.mass < check.unlikely_labels:
            yield (
                f"the model would hardly give any of these answers: {choice.mass:.1g} for all of them together "
                f"(check.unlikely_labels {check.unlikely_labels:g})"
            )
        logprob = generation.mean_logprob
        if item.request.schema is not None and logprob is not None and logprob < check.unlikely_fields:
            yield (
                f"the model itself finds these fields unlikely, {logprob:.1f} nats a token (check.unlikely_fields "
                f"{check.unlikely_fields:g}): the schema shaped them more than the image"
            )


def _complete(timings: dict[str, float]) -> dict[str, float]:
    whole = {stage: timings.get(stage, 0.0) for stage in STAGES}
    return {**whole, "total": sum(whole.values())}


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(".!")


def _cut_short(generation: Generation) -> str:
    """What to do where an answer is unusable because it was cut."""
    if generation.stop == "length":
        return f". It was cut off at {generation.new_tokens} tokens: allow more with --set generation.max_new_tokens=N"
    if generation.stop == "time":
        return ". It was cut off: allow more time with --set generation.time_limit_s=N"
    return ""
