"""The words that cues of orders in English are put together from, as regular expressions on folded text."""

# ruff: noqa: RUF001 - dashes of every length begin a clause

# Where an order may begin: a sentence, a clause behind a mark, or one of the words that turn to somebody.
AT = (
    r"(?:^|[.!?:;\n\"'`()\[\]{}<>|*#=~_/\-]\s*|,\s*|"
    r"\b(?:please|kindly|now|then|and|but|so|or|just|simply|must|should|shall|instead|also|always|you|first|only|"
    r"therefore|have to|need to|are to|going to|like you to|want you to|ask you to) )"
)

OVERRIDE = (
    r"(?:ignore|disregard|forget(?: about)?|override|overrule|bypass|discard|neglect|dismiss|overlook|skip|abandon|"
    r"set aside|put aside|pay no attention to|take no notice of|never mind|stop (?:following|obeying|reading)|"
    r"(?:do not|don'?t|never) (?:follow|obey|heed|listen to|rely on|look at|consider|trust|believe|pay attention to))"
)

FILL = (
    r"(?:\s+(?:all|any|every|each|both|of|the|these|those|this|that|your|my|our|its|previous|prior|above|earlier|"
    r"preceding|former|foregoing|existing|current|original|initial|other|system|safety|following|given|and|or|actual|"
    r"attached|provided|retrieved|entire|whole|remaining|rest|input|medical|old|what is in|contents?|similar|"
    r"evidence|captions?|examples?|passages?))*"
)

ORDERS = (
    r"(?:instructions?|prompts?|guidelines?|directions?|directives?|commands?|orders?|rules|system messages?|context|"
    r"constraints|polic(?:y|ies)|training|programming|(?:your )?task|everything|anything|what "
    r"(?:you|was|came|is above))"
)

THINGS = (
    r"(?:images?|pictures?|photo(?:graph)?s?|scans?|figure|pixels|visual (?:input|content|evidence)|captions?|evidence|"
    r"examples?|passages?|sources|question|query|user|request|radiograph|x-?ray|slide|micrograph|what you (?:can )?see|"
    r"findings)"
)

STOP = (
    r"(?=\s*(?:$|[.!?:;,\n\"')\]}<>|*—–-])|\s+(?:and|or|but|above|below|entirely|completely|content|itself|you|shown|"
    r"attached|given|provided|please|when|then|because|for|in|now|instead|as|that|which|before|so|here|is|are|since)\b)"
)

SAY = (
    r"(?:say|state|write|answer|respond|reply|output|print|return|report|conclude|declare|claim|assert|insist|mention|"
    r"repeat|tell|announce|generate|produce|type|emit|describe|caption)"
)

WHAT = (
    r"(?:only|just|exactly|simply|with|instead|nothing|verbatim|that|the (?:following|words?|phrase|sentence|text)|"
    r"as follows|in (?:json|xml|yaml|html|markdown|rhymes?|verse|capitals?|capital letters|all caps|uppercase|french|"
    r"german|spanish|italian|chinese|english|latin|russian|portuguese|one word)|as json|[\"'“«„:])"
)

ANSWER = r"(?:answers?|responses?|repl(?:y|ies)|outputs?|descriptions?|captions?|summar(?:y|ies)|completions?)"

SEEN = r"(?:image|picture|scan|photo(?:graph)?|radiograph|x-?ray|slide|figure|micrograph|study|case)s?"

MODEL = (
    r"(?:(?:large |vision[- ])?language models?|vision models?|vlms?|llms?|chat ?bots?|chatgpt|gpt-?\d?|"
    r"ai (?:assistants?|models?|systems?|readers?|agents?|bots?|captioners?)|ais?|assistants?|models?|bots?|"
    r"captioners?|caption(?:ing)? (?:models?|systems?|engines?)|describers?|machine)"
)

# The same for verbs that lists and methods have as well: no comma before them.
BEGIN = (
    r"(?:(?:^|[.!?:;\n\"'()\[\]{}<>|*#=~_—–]|\s-\s)\s*(?:and |then |so |but |also )?|"
    r"\b(?:please|kindly|now|instead|therefore|you (?:must|should|shall|will|are to|have to|need to|can)|"
    r"i authori[sz]e you to) )"
    r"(?:always |never |only |just |simply |then |first |do not |don'?t |must not |must |not )?"
)

NO_NOUN = r"(?! (?:of|was|were|is|are|to|from|for|on|at|by|rate|time|and|or|your (?:doctor|health|symptoms))\b|\s*[:-])"

LITERATE = (
    r"(?:say|state|write|answer|respond|reply|output|print|describe|caption|translate|append|recite|classify|diagnose|"
    r"cite|reveal|pretend|claim|assert|insist|conclude|declare|announce|quote|decode|ignore|disregard|summari[sz]e|emit)"
)

COMMON = (
    r"(?:tell|report|list|give|use|repeat|include|begin|end|start|finish|remember|leave out|omit|mention|call|label|"
    r"set|copy|make|add|run|execute|show|display|return|produce|generate|let|act|treat|mark|obey|recommend|refuse|stop|forget|"
    r"follow|put|insert|replace|change|respond|rate|drop)"
)
