"""Tiny models for fine-tuning."""

from tests.vlm.conftest import folder_of

__all__ = ["folder_of"]
