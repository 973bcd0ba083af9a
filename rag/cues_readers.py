"""Cues of who is spoken to, by whom and through what: "you", names for models, speakers, headings, polite forms."""

from __future__ import annotations

import re

from rag import cues_words as words
from rag.cues import cue as _cue

READERS = (
    _cue(
        "person",
        1.0,
        r"\byou(?: are|'re) (?:now|no longer|hereby) (?:an?|the|in|free|dan|unrestricted|bound|required)\b",
    ),
    _cue(
        "person",
        0.8,
        r"\byou(?: are|'re) (?:an? (?:\w+ )?(?:ai|assistant|model|bot|radiologist|pathologist|expert|pirate|",
        r"machine|translator)|the (?:ai|assistant|model)|dan\b|required to|instructed to|ordered to|to (?:say|",
        r"answer|write|ignore))",
    ),
    _cue(
        "person",
        0.8,
        rf"(?:{words.BEGIN}|\byou )(?:act|behave|respond|speak|write|answer) (?:as|like) (?:an?|the|if)\b|",
        r"\bpretend (?:to be|",
        r"that|you)\b|\brole-?play\b",
    ),
    _cue(
        "person",
        0.7,
        rf"\byour (?:next |final |whole |entire |only |own )?(?:{words.ANSWER}|task is|job is|instructions|prompt|",
        r"system|",
        r"role is|training|programming|conclusion|configuration|guidelines)",
    ),
    _cue(
        "person", 0.8, r"\byou(?: are|'re) (?:\w+ )?(?:asked|told|instructed|required|ordered|requested|expected) to\b"
    ),
    _cue(
        "person",
        1.0,
        r"\byour (?:\w+ ){0,2}(?:task|job|role|goal|purpose|mission|function) (?:is|will be) (?:now )?to\b",
    ),
    _cue(
        "person",
        0.4,
        r"\byou (?:must|should|will|shall|have to|need to|can only|may only|are|see|know|read|were (?:given|",
        r"told))\b",
    ),
    _cue("person", 0.3, r"\byou(?:r|rself)?\b"),
    _cue(
        "model",
        0.8,
        r"\b(?:dear|hey|hello|hi|attention|ok|note (?:to|for)|notice (?:to|for)|message (?:to|for)|p\.? ?s\.? to|",
        r"memo to|instructions? (?:to|for)|if you are an?|as an?|any|whichever|whatever)(?: the| any| all| every|",
        r" whatever)?,?",
        rf"(?: \w+)? {words.MODEL}\b",
    ),
    _cue(
        "model",
        1.0,
        rf"\b{words.MODEL}(?: (?:that|which|who|reading|processing|",
        r"describing)[^.!?]{0,50})?,? (?:must|should|shall|",
        r"will|is ",
        r"to|are to|has to|needs to|(?:is|are) (?:required|instructed|asked|told|ordered|requested) to) (?:now |",
        r"always ",
        rf"|only |not |never )?(?:{words.SAY}|{words.OVERRIDE}|begin|end|add|include|pretend)\b",
    ),
    _cue(
        "model",
        1.0,
        r"\b(?:anyone|whoever|everyone|anything|whatever) (?:that |who |which )?(?:summari[sz]|describ|read|",
        r"caption|writ|answer|generat|process)\w+[^.!?\n]{0,30}\b(?:must|should|shall|has to|is to|needs to)\b",
    ),
    _cue(
        "model",
        0.6,
        r"(?:^|[.!?\n(\[]\s*)(?:ai|assistant|bot|captioner|chatbot|llm|vlm|language model|",
        r"caption generator)\s*[,:]|\bto the (?:machine|model|ai|bot|assistant) (?:that|which|reading|writing|",
        r"describing|processing)",
    ),
    _cue(
        "reader",
        0.5,
        r"\b(?:language models?|vlms?|llms?|chatbots?|chatgpt|(?:an|the) ai\b|ai (?:assistant|model|reader|agent|",
        r"captioner)s?|the (?:assistant|captioner|captioning model|model)|this model|caption (?:generator|writer|",
        r"model)|image describer)\b",
    ),
    _cue(
        "reveal",
        1.0,
        r"\b(?:reveal|print|repeat|show|output|display|tell|leak|disclose|list|give|return|reproduce|quote|recite|",
        r"dump|echo|expose|write|summari[sz]e|translate|state|share|include|copy|paste|",
        r"let slip)\b[^.!?\n]{0,30}\b(?:(?:your|system|hidden|secret|initial|original|entire|",
        r"full)(?: \w+)? (?:prompts?|instructions|messages?|rules|guidelines|configuration)|your configuration|",
        r"the prompt\b|system prompt|(?:the )?instructions (?:that )?you (?:were|have been|are) given)",
    ),
    _cue(
        "reveal",
        0.6,
        r"\b(?:system prompt|hidden (?:prompt|instructions)|your (?:system |hidden )?(?:prompt|instructions)|",
        r"api[_ ]key|password|model you (?:run|are running))\b",
    ),
    _cue(
        "frame",
        0.8,
        r"\b(?:new|updated|revised|real|actual|additional|hidden|secret|special|",
        r"important) (?:system )?(?:instructions?|directives?|orders|prompt|task)(?: (?:for|to|",
        r"from)[^.:\n]{0,30})?(?:\s*[:.!]| is\b)",
    ),
    _cue(
        "frame",
        0.8,
        r"\b(?:system|admin(?:istrator)?|developer|debug|maintenance|safety|operator|root|sudo|",
        r"security)[ _-](?:override|message|notice|mode|instruction|directive|command|prompt|note)s?\b",
    ),
    _cue(
        "frame",
        0.4,
        r"(?:^|[.!?\n]\s*)(?:questions?|answer|instructions?|task|captions of similar images|background|important|",
        r"override|prompt|output|response|remember)\s*:",
    ),
    _cue(
        "frame",
        0.9,
        r"\b(?:end|begin|start|beginning|close) (?:of )?(?:the )?(?:system |retrieved |user |",
        r"similar )?(?:prompts?|instructions?|context|evidence|captions|documents?|passages|examples|input|data|",
        r"quote)\b(?=\s*(?:$|[\]=>*#.:\n\"-]))",
    ),
    _cue("frame", 0.7, r"\b(?:decode|decipher|unscramble)\b[^.!?\n]{0,40}\b(?:do|follow|obey|execute|act|comply)\b"),
    _cue("ruler", 0.3, r"-{3,}|={3,}|#{3,}|\*{3,}|`{3}|~{3,}|\n\s*\[\d+\]\s|[.!?]\s+\[\d+\]\s+\w"),
    _cue(
        "polite",
        0.7,
        rf"\b(?:please|kindly) (?:{words.SAY}|{words.OVERRIDE}|include|add|end|begin|start|conclude|",
        r"use|translate|do not|",
        r"don'?t)\b",
    ),
    _cue(
        "polite",
        0.6,
        r"\b(?:could|would|can|will) you (?:please|kindly|be so kind|mind)\b|\bi(?:'d| would) (?:like|",
        r"love) (?:you|it if you)\b|\b(?:i|we) (?:want|need|ask|order|command|instruct|request|beg|",
        r"authori[sz]e) (?:that )?(?:you|the model|the assistant)\b|\bwe (?:kindly )?(?:ask|request) (?:you|",
        r"the (?:reader|model|ai|assistant))\b|\b(?:it would be|would be|much appreciated|",
        r"grateful)[^.!?\n]{0,30} if (?:you|the (?:ai|model|assistant|captioner))\b",
    ),
    _cue(
        "channel",
        0.5,
        r"!\[[^\]]*\]\(|\bjavascript:|\b(?:visit|go to|open|fetch|click(?: on)?) (?:https?:|www\.|the (?:link|",
        r"url))|\b(?:run|execute) the (?:following )?(?:code|command|tool|function|script)\b|",
        r"\bcall the \w* ?(?:tool|function|api)\b",
    ),
)

_PEOPLE = (
    r"\b(?:patients?|participants?|subjects?|volunteers?|observers?|readers|raters?|radiologists?|students?|children|child|"
    r"nurses?|trainees?|reviewers?|he|she|they|surgeons?|operators?|controls|technicians?|mothers?|parents|women|men|"
    r"clinicians?|physicians?|pathologists?|doctors?)"
)
HUMANS = re.compile(
    rf"{_PEOPLE}\b[^.!?;:\n]{{0,80}}\b(?:told|asked|instructed|trained|required|taught|advised|encouraged|requested|ordered|"
    r"allowed|urged|reminded|directed|had|tend(?:ed)?|failed|chose|began|wanted|able|unable)\b[^.!?;:\n]{0,60}$|"
    rf"{_PEOPLE}(?: \w+){{0,2}} (?:may|might|can|could|would|should|did|do|does|must|will|often|who|to|not|never) $"
)
"""People who were told something, or who may do it, before an order in the same clause: then it is none of ours."""
