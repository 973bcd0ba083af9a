"""Model families: one module each, with what is its own and nothing else."""

from __future__ import annotations

from vlm.families.base import Family
from vlm.families.blip import Blip
from vlm.families.fastvlm import FastVlm
from vlm.families.gemma3 import Gemma3
from vlm.families.llava import Llava
from vlm.families.mllama import Mllama
from vlm.families.paligemma import PaliGemma
from vlm.families.qwen_vl import Qwen2Vl, Qwen3Vl, Qwen25Vl
from vlm.families.smolvlm import SmolVlm
from vlm.families.text import Llama, Qwen3

_ALL: tuple[Family, ...] = (
    SmolVlm(), Qwen2Vl(), Qwen25Vl(), Qwen3Vl(), PaliGemma(), FastVlm(), Llava(), Gemma3(), Mllama(), Blip(),
    Llama(), Qwen3(),
)  # fmt: skip
FAMILIES: dict[str, Family] = {family.name: family for family in _ALL}
"""Every family this program speaks to, by the name that configs/models/*.yaml use."""

__all__ = ["FAMILIES", "Family"]
