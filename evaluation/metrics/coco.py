"""CIDEr and METEOR, as the COCO caption toolkit computes them, by the package that carries it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from evaluation.errors import MetricError, MissingMetricError
from evaluation.metrics.config import MetricsConfig
from evaluation.metrics.measures import Asked, Mean, Texts, need
from evaluation.metrics.scored import Recipe
from evaluation.metrics.texts import coco
from evaluation.statistics.intervals import Estimate, Numbers

_SEGMENT = re.compile(r"^Segment \d+ score:\s*([\d.Ee+-]+)$", re.MULTILINE)
_FINAL = re.compile(r"^Final score:\s*([\d.Ee+-]+)$", re.MULTILINE)
_TOKENS = "PTB tokens by NLTK in lower case without punctuation"


class Cider(Mean):
    """CIDEr-D with idf over these references (Vedantam et al. 2015), by pycocoevalcap; 0 to 10.

    Its own tokenizer, in Java, is not used: see `texts.coco`. The figure of all texts is the mean.
    """

    def __init__(self, asked: Asked, config: MetricsConfig) -> None:  # noqa: ARG002 - there is nothing to set
        version = need("pycocoevalcap", "pycocoevalcap")
        if len(asked.references) < 2:
            raise MissingMetricError("CIDEr weighs words by how rare they are among the references: give several")
        self._references = [coco(reference) for reference in asked.references]
        self.recipes = {
            "cider": Recipe(
                title="CIDEr",
                text=f"CIDEr-D, sigma 6, 1- to 4-grams, idf over the {len(asked.references)} references, {_TOKENS}",
                version=version,
                source="Vedantam et al. 2015, arXiv:1411.5726",
            )
        }

    def score(self, variants: Sequence[Texts]) -> list[dict[str, Numbers]]:
        return [{"cider": cider([coco(text) for text in texts], self._references)} for texts in variants]


def cider(texts: Sequence[str], references: Sequence[str | Sequence[str]]) -> Numbers:
    """CIDEr-D of texts of words with spaces between, each with its reference or references, float64 (n,)."""
    from pycocoevalcap.cider.cider_scorer import CiderScorer  # type: ignore[import-untyped]

    scorer = CiderScorer(n=4, sigma=6.0)
    for text, several in zip(texts, references, strict=True):
        scorer += (text, [several] if isinstance(several, str) else list(several))
    return np.asarray(scorer.compute_score()[1], dtype=np.float64)


class Meteor:
    """METEOR 1.5 (Denkowski and Lavie 2014): its own program, which pycocoevalcap carries with WordNet's synonyms.

    Exact, stem, synonym and paraphrase matches for English. It is a Java program: without Java there is no METEOR here,
    since matching by words and stems alone would be another metric. The figure of all texts, which the COCO toolkit
    reports, is of their summed matches.
    """

    def __init__(self, asked: Asked, config: MetricsConfig) -> None:  # noqa: ARG002 - there is nothing to set
        version = need("pycocoevalcap", "pycocoevalcap")
        meteor_program()
        self._references = [coco(reference) for reference in asked.references]
        self.recipes = {
            "meteor": Recipe(
                title="METEOR",
                text=f"METEOR 1.5, English, -norm, exact, stem, WordNet synonyms, paraphrases; {_TOKENS}",
                version=version,
                source="Denkowski and Lavie 2014, https://aclanthology.org/W14-3348",
            )
        }

    def score(self, variants: Sequence[Texts]) -> list[dict[str, Numbers]]:
        texts = [coco(text) for variant in variants for text in variant]
        values = meteor(texts, [[reference] for reference in self._references] * len(variants))
        return [{"meteor": part} for part in np.split(values, len(variants))]

    def corpus(self, texts: Texts) -> Mapping[str, Estimate]:
        whole = meteor_of_all([coco(text) for text in texts], [[reference] for reference in self._references])
        return {"meteor": Estimate(whole)}


def meteor(texts: Sequence[str], references: Sequence[Sequence[str]]) -> Numbers:
    """METEOR 1.5 of texts of words with spaces between, each with as many references as the others, float64 (n,).

    A text without words has 0. Raises MissingMetricError where Java or the program is not here, and MetricError where
    it fails.
    """
    said = [place for place, text in enumerate(texts) if text.strip()]
    values = np.zeros(len(texts))
    if said:
        values[said] = _run_meteor([texts[place] for place in said], [references[place] for place in said])[0]
    return values


def meteor_of_all(texts: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """METEOR 1.5 of all texts together, of their summed matches. Raises as `meteor`."""
    return _run_meteor(texts, references)[1] if any(text.strip() for text in texts) else 0.0


def meteor_program() -> tuple[str, Path]:
    """Java, and the program's file. Raises MissingMetricError where either is not here."""
    java = shutil.which("java")
    if java is None:
        raise MissingMetricError("METEOR 1.5 is a Java program and there is no Java: apt install default-jre-headless")
    spec = find_spec("pycocoevalcap")
    folders = list(spec.submodule_search_locations or []) if spec else []
    jar = next((path for folder in folders if (path := Path(folder) / "meteor" / "meteor-1.5.jar").is_file()), None)
    if jar is None:
        raise MissingMetricError(
            f"pycocoevalcap {metadata.version('pycocoevalcap')} has no meteor-1.5.jar. "
            "Install it anew: pip install --force-reinstall pycocoevalcap"
        )
    return java, jar


def _run_meteor(texts: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[Numbers, float]:
    """The values of the texts and that of all together."""
    java, jar = meteor_program()
    with tempfile.TemporaryDirectory() as folder:
        said, held = Path(folder) / "texts", Path(folder) / "references"
        said.write_text(_lines(texts), encoding="utf-8")
        held.write_text(_lines([one for several in references for one in several]), encoding="utf-8")
        command = [java, "-Xmx2G", "-Dfile.encoding=UTF-8", "-jar", str(jar), str(said), str(held), "-l", "en", "-norm"]
        command += ["-r", str(len(references[0]))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    values = np.asarray([float(found) for found in _SEGMENT.findall(done.stdout)])
    final = _FINAL.search(done.stdout)
    if done.returncode or final is None or len(values) != len(texts):
        why = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["it said nothing"]
        raise MetricError(f"METEOR: java -jar {jar.name} scored {len(values)} of {len(texts)} texts: {why[-1]}")
    return values, float(final[1])


def _lines(texts: Sequence[str]) -> str:
    return "".join(" ".join(text.split()) + "\n" for text in texts)
