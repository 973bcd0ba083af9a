"""How the index does at the field's sizes. Each part is a script of its own and can be run alone.

    python benchmarks/index_scale.py --data ../shared/data --work .scratch/scale
    python benchmarks/index_scale.py --data ../shared/data --work .scratch/scale --only query --only kills

| part | what |
|---|---|
| images | 79,789 drawn images through the embedded encoder: rate, memory (`scale_images.py`) |
| query | one image query over 79,789 x 512, beside plain FAISS (`scale_query.py`) |
| passages | a million passages: words and vectors together, opening (`scale_passages.py`) |
| kills | builds killed at random moments, bytes flipped, a full disk (`scale_kills.py`) |
| peers | LangChain's FAISS store and autofaiss on the same vectors (`scale_peers.py`) |

Results go into `benchmarks/index_scale.json`, each part with the recipe of the run that made it. Nothing else should
run meanwhile; kills alone do not mind.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import scale_images
import scale_kills
import scale_passages
import scale_peers
import scale_query
from machine import ROOT, recipe, saved

PARTS: dict[str, Callable[[Path, Path], dict[str, Any]]] = {
    "images": lambda work, _: scale_images.measured(work, sum(scale_images.SPLITS.values())),
    "query": scale_query.measured,
    "passages": scale_passages.measured,
    "kills": lambda work, data: scale_kills.measured(work / "kills", data),
    "peers": scale_peers.measured,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", choices=PARTS, action="append")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    file = ROOT / "benchmarks" / "index_scale.json"
    for name in args.only or PARTS:
        print(name, file=sys.stderr)
        found = {"recipe": recipe(), **PARTS[name](args.work, args.data)}
        results = {**saved("index_scale"), name: found}
        file.write_text(json.dumps({part: results[part] for part in PARTS if part in results}, indent=1) + "\n")
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
