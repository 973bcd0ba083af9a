"""Every metric by its name, and the sets of them that are asked for together."""

from __future__ import annotations

from collections.abc import Sequence

from configs import hint
from evaluation.errors import MetricError
from evaluation.metrics import answers, bertscore, coco, concepts, images, learned, lexical, radiology
from evaluation.metrics.measures import Asked, Maker

FAMILIES: dict[str, Maker] = {
    "meteor": coco.Meteor,  # first: it runs beside the others, in a process of its own
    "rouge": lexical.rouge,
    "bleu": lexical.Bleu,
    "chrf": lexical.Chrf,
    "cider": coco.Cider,
    "bertscore": bertscore.bertscore,
    "imageclef_rouge": lexical.imageclef_rouge,
    "imageclef_bertscore": bertscore.imageclef_bertscore,
    "bleurt": learned.Bleurt,
    "alignscore": learned.AlignScore,
    "radgraph": radiology.radgraph,
    "chexbert": radiology.chexbert,
    "clipscore": images.ImageText,
    "concepts": concepts.WordConcepts,
    "codes": concepts.Codes,
    "content": concepts.RightContent,
    "answers": answers.Accuracy,
    "fields": answers.FieldF1,
}
"""Metrics that are computed together, and what makes them."""

METRICS: dict[str, str] = {
    "rouge1": "rouge", "rougeL": "rouge",
    "bleu1": "bleu", "bleu2": "bleu", "bleu3": "bleu", "bleu4": "bleu",
    "chrf": "chrf", "cider": "cider", "meteor": "meteor",
    "bertscore": "bertscore", "bleurt": "bleurt", "alignscore": "alignscore",
    "radgraph": "radgraph", "chexbert": "chexbert",
    "imageclef_rouge1": "imageclef_rouge", "imageclef_bertscore": "imageclef_bertscore",
    "clipscore": "clipscore", "concept_f1": "concepts", "cui_f1": "codes", "content": "content",
    "accuracy": "answers", "field_f1": "fields",
}  # fmt: skip
"""Metric -> family. `content` and `accuracy` have parts of their own: `content.plane`, `accuracy.closed`."""

LEXICAL = ("rouge1", "rougeL", "bleu1", "bleu2", "bleu3", "bleu4", "meteor", "cider", "chrf")

DEFAULT = "default"
PRESETS: dict[str, tuple[str, ...]] = {
    DEFAULT: (*LEXICAL, "bertscore", "concept_f1", "content", "clipscore"),
    "lexical": LEXICAL,
    "imageclef": ("clipscore", "imageclef_bertscore", "imageclef_rouge1", "bleurt", "cui_f1", "alignscore"),
    "radiology": ("radgraph", "chexbert", "concept_f1", "content"),
    "questions": ("accuracy",),
    "fields": ("field_f1",),
    "all": tuple(METRICS),
}


def named(names: Sequence[str], asked: Asked | None = None) -> tuple[str, ...]:
    """Metrics from names of metrics and presets, none twice. Raises MetricError, which names the near ones.

    `default` is what suits the texts that are `asked` for: captions, answers to questions, or fields of documents.
    """
    found: dict[str, None] = {}
    for name in names:
        preset = _usual(asked) if name == DEFAULT and asked is not None else name
        if preset in PRESETS:
            found |= dict.fromkeys(PRESETS[preset])
        elif name in METRICS:
            found[name] = None
        else:
            near = hint(name, [*METRICS, *PRESETS]) or "."
            raise MetricError(f"no metric {name!r}{near} Metrics: {', '.join(METRICS)}. Presets: {', '.join(PRESETS)}")
    return tuple(found)


def _usual(asked: Asked) -> str:
    """The preset that `default` is."""
    return "fields" if asked.is_documents else "questions" if asked.is_questions else DEFAULT


def families(names: Sequence[str]) -> dict[str, list[str]]:
    """Family -> its metrics among `names`, in the registry's order."""
    return {family: mine for family in FAMILIES if (mine := [name for name in names if METRICS[name] == family])}
