"""Model families: one module each, with what is its own and nothing else."""

from __future__ import annotations

from vlm.families.base import Family
from vlm.families.fastvlm import FastVlm
from vlm.families.paligemma import PaliGemma
from vlm.families.qwen2_vl import Qwen2Vl
from vlm.families.smolvlm import SmolVlm

FAMILIES: dict[str, Family] = {family.name: family for family in (SmolVlm(), Qwen2Vl(), PaliGemma(), FastVlm())}
"""Every family this program speaks to, by the name that configs/models/*.yaml use."""

__all__ = ["FAMILIES", "Family"]
