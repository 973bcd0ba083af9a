"""What an ablation of retrieval compares: arms of another kind of evidence, amount or order, or of another image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rag.prompts import EvidenceOrder

EvidenceKind = Literal["none", "random", "nearest", "oracle", "swapped"]
"""No evidence; examples drawn at random; what retrieval finds; of its 50 nearest those whose captions are closest to
the reference; what it finds for an image of another article. The query's own article is in none of them."""

Picture = Literal["own", "blank", "swapped"]
"""The image itself; a grey one; an image of another article, the evidence staying that of the image itself."""


@dataclass(frozen=True)
class Arm:
    """One way to describe the images of a set. `order` is None where there is nothing to order."""

    evidence: EvidenceKind
    k: int = 0
    order: EvidenceOrder | None = None
    picture: Picture = "own"

    @property
    def name(self) -> str:
        """`nearest, k=5, best first`, or `nearest, k=5, best first, image blank`."""
        parts: list[str] = ["evidence swapped" if self.evidence == "swapped" else self.evidence]
        if self.k:
            parts.append(f"k={self.k}")
        if self.order:
            parts.append(self.order.replace("_", " "))
        if self.picture != "own":
            parts.append(f"image {self.picture}")
        return ", ".join(parts)


@dataclass(frozen=True)
class Plan:
    """The arms of an ablation. `main_k` and `main_order` are those of the arms with another image or evidence."""

    ks: tuple[int, ...]
    orders: tuple[EvidenceOrder, ...]
    main_k: int
    main_order: EvidenceOrder

    def arm(
        self, evidence: EvidenceKind, k: int | None = None, order: EvidenceOrder | None = None, picture: Picture = "own"
    ) -> Arm:
        """An arm of this plan, with the main k and order where none are given."""
        if evidence == "none":
            return Arm(evidence, picture=picture)
        k = k or self.main_k
        return Arm(evidence, k, (order or self.main_order) if k > 1 else None, picture)

    @property
    def main(self) -> Arm:
        """What the configuration itself does."""
        return self.arm("nearest")

    def arms(self) -> list[Arm]:
        """All of them, none twice."""
        kinds: Sequence[EvidenceKind] = ("random", "nearest", "oracle")
        several = [self.arm(kind, k, order) for kind in kinds for k in self.ks for order in self.orders]
        changed = [self.arm("swapped"), self.arm("nearest", picture="swapped"), self.arm("nearest", picture="blank")]
        return list(dict.fromkeys([self.arm("none"), *several, self.main, *changed]))
