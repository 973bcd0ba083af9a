"""What gives away a text that speaks to the model that reads it: cues, each with a weight, in families.

Two neighbouring sentences are told by the sum over families of the heaviest cue in each: one open order ("ignore the
image") is enough, a word that ordinary prose has as well ("system:", "you should") counts only beside others. Patterns
are matched on text that `rag.untrusted` has folded: small letters, no accents, no invisible characters.
"""

from __future__ import annotations

import re

from rag import cues_words as words
from rag.cues import cue as _cue

ENGLISH = (
    _cue("override", 1.0, rf"{words.AT}{words.OVERRIDE}{words.FILL}\s+{words.ORDERS}\b"),
    _cue(
        "override",
        1.0,
        rf"\b{words.OVERRIDE}(?:\s+(?:all|any|of|the|your|my|and))*\s+(?:previous|prior|above|earlier|",
        r"preceding|system|",
        rf"original|initial){words.FILL}\s+{words.ORDERS}\b",
    ),
    _cue("override", 1.0, rf"{words.AT}{words.OVERRIDE}{words.FILL}\s+{words.THINGS}{words.STOP}"),
    _cue("override", 0.5, rf"\b{words.OVERRIDE}{words.FILL}\s+(?:\w+\s+)?(?:{words.ORDERS}|{words.THINGS}|text)\b"),
    _cue(
        "override",
        0.7,
        r"\b(?:previous|prior|above|earlier|system|foregoing) (?:instructions?|prompts?|rules|text|task) (?:are|",
        r"is|were|was|no longer|do not|have been|should be|must be|to be)\b|\b(?:foregoing|above) was a test\b",
    ),
    # Words without a space between them, as letters that stood apart read once they are put together.
    _cue(
        "override",
        1.0,
        r"(?:ignore|disregard|forget|override)(?:all|the|any|your|this|these|previous|prior|above|other|",
        r"and)*(?:image|picture|scan|instruction|prompt|caption|rule|evidence|context|everything)|(?:say|reply|",
        r"answer|respond|write|output)(?:only|with|that|just|nothing)[a-z]{3}|systemprompt|youarenow",
    ),
    _cue("order", 0.5, rf"{words.BEGIN}{words.LITERATE}\b{words.NO_NOUN}"),
    _cue("order", 0.3, rf"{words.BEGIN}{words.COMMON}\b{words.NO_NOUN}"),
    _cue("order", 0.7, rf"{words.AT}{words.SAY} (?:to the user |back |me |us |the user )?{words.WHAT}"),
    _cue(
        "order",
        1.0,
        rf"{words.AT}(?:{words.SAY}|label|classify|diagnose|call|identify|treat|interpret|mark|",
        r"rate) (?:it|(?:this|the|every|",
        rf"any|each|all)(?: \w+)? {words.SEEN}) (?:only |simply |always )?as\b",
    ),
    _cue(
        "order",
        1.0,
        rf"\b{words.SAY} (?:only |just )?(?:with |in |as )(?:valid |a |one )?(?:json|xml|yaml|html|markdown)\b",
    ),
    _cue(
        "order",
        0.9,
        r"\b(?:begin|start|end|finish|prefix|close|open|conclude|sign) (?:your|the|every|each|all|any)",
        rf"(?: \w+)? (?:{words.ANSWER}|reports?|texts?|sentences?) (?:with|by|in|off)\b",
    ),
    _cue(
        "order",
        0.9,
        r"\b(?:copy|repeat|reproduce|paste|include|use|quote|insert|output) (?:this|these|the (?:following|above)|",
        r"only this)(?: \w+)? (?:sentence|text|captions?|words|line|string|phrase|paragraph|verbatim)",
    ),
    _cue(
        "order",
        1.0,
        rf"{words.BEGIN}(?:let|make) (?:the|your)(?: \w+)? {words.ANSWER} (?:read|say|be|state|end|begin)\b",
    ),
    _cue(
        "order",
        0.7,
        rf"{words.BEGIN}tell (?:the |every )?(?:users?|readers?|doctor|physician|requester|them|everyone)\b",
    ),
    _cue("order", 1.0, r"\brepeat after me\b"),
    _cue(
        "order",
        1.0,
        r"\b(?:when|while|before|after|in) (?:generating|writing|producing|composing|drafting|preparing|",
        rf"captioning|describing|answering|summari[sz]ing)\b[^.,\n]{{0,40}}, ?(?:{words.LITERATE}|",
        rf"{words.COMMON})\b{words.NO_NOUN}",
    ),
    _cue(
        "payload",
        0.5,
        rf"\b(?:{words.LITERATE}|{words.COMMON}|{words.ANSWER}|is|be|as|with|read|reads|words?|phrase|sentence|",
        r"following)\b[^.!?\n]{0,24}",
        r"[\s:]\"[^\"\n]{2,120}\"|\b(?:say|state|write|answer|respond|reply|output|print|is|as|",
        r"with)\b:? '[^'\n]{2,80}'",
    ),
    _cue(
        "meta",
        0.5,
        rf"\b(?:captions?|answers?|repl(?:y|ies)|your (?:{words.ANSWER})|the (?:output|description|response|",
        r"summary)(?! (?:of|to))",
        r"|prompts?|instructions?|guidelines?|passages?|citations?|citing|cite|this (?:text|batch|dialogue|",
        r"conversation|message|record)|your turn|confidence ?=|configuration|questions? (?:that )?follows?|",
        r"the (?:user|model|developer|question|assistant)|the reader|evidence \d|passage \d|caption \d|source \d|",
        r"json|base64|safety|system prompt|this image|each image|every image)\b",
    ),
    _cue(
        "absolute",
        0.5,
        r"\b(?:whatever|whichever|whenever|regardless|irrespective|no matter|even if|even though|nothing else|",
        r"word for word|verbatim|in (?:its|their) (?:place|stead)|from now on|henceforth|until further notice|",
        r"nothing but|without (?:exception|restrictions?|comment|explanation)|(?:every|each|all|any) (?:image|",
        r"picture|caption|case|answer|scan|question|text|passage|other text)s?|under (?:any|no) circumstances?|",
        r"at all times)\b|\binstead\b[.,;!:]|\binstead of (?:a|an|the|your|any) (?:captions?|descriptions?|",
        r"answers?)",
    ),
    _cue("absolute", 0.4, rf"\b(?:always|never|only) {words.SAY}\b|\binstead\b"),
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
    _cue("rule", 0.5, rf"\b(?:always|never) (?:{words.SAY}|diagnose|refer to|cite|add|include|reveal|admit)\b"),
    _cue(
        "rule",
        0.5,
        r"\b(?:do not|don'?t|without|must not) (?:mention|describe|report|say|cite|reveal|disclose|refer|admit|",
        r"tell|describing|mentioning)\w*\b",
    ),
    _cue(
        "rule",
        0.7,
        r"\b(?:regardless of|no matter|irrespective of|whatever)\b[^.!?\n]{0,20}\b(?:images?|pictures?|scans?|",
        r"content|visible|(?:you|it) sees?|shown|shows|depicts?|depicted|pixels)\b",
    ),
    _cue(
        "rule",
        1.0,
        rf"\b(?:the|your|every|each|any|all|final|correct)(?: \w+)? {words.ANSWER} (?:must|should|",
        r"has to|have to|shall|",
        r"needs? to|",
        r"is to|are to|will) (?:always |only |not |never )?(?:say|state|begin|start|end|read|claim|mention|be \")",
    ),
    _cue(
        "rule",
        0.4,
        rf"\b(?:the|your|every|each|any|all|final|correct)(?: \w+)? {words.ANSWER} (?:must|should|",
        r"has to|have to|shall|",
        r"needs? to|is to|ought to|will|is:? [\"'])",
    ),
    _cue(
        "rule",
        1.0,
        r"\b(?:must|has to|have to|should|shall|is to|are to|needs to) be (?:copied|repeated|reproduced|quoted|",
        r"used|included|written|output|given|stated)\b[^.!?\n]{0,20}\b(?:word for word|verbatim|exactly as|",
        r"instead of|in (?:every|each|your) )",
    ),
    _cue(
        "rule",
        0.9,
        r"\b(?:overrides?|supersedes?|takes? (?:precedence|priority) over|",
        r"replaces?)(?: \w+){0,3} (?:instructions?|prompts?|captions?|evidence|rules|others?|images?)\b",
    ),
    _cue(
        "rule",
        0.9,
        r"\b(?:the|all) other (?:captions?|passages?|evidence|examples?|sources|records) (?:are|",
        r"is) (?:all )?(?:wrong|false|unreliable|outdated|incorrect|fake|irrelevant)",
    ),
    _cue(
        "rule",
        0.8,
        rf"{words.AT}(?:use|trust|believe|cite|follow|rely on) only (?:this (?:text|caption|passage)|the following|",
        r"evidence|source)\b",
    ),
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
