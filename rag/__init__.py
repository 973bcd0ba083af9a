"""How evidence becomes a description: retrieve, prompt, generate, check, record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.opening import open_pipeline
    from rag.pipeline import Pipeline

__all__ = ["Pipeline", "open_pipeline"]


def __getattr__(name: str) -> Any:
    """Loads the public names when first asked for, so that a command pays only for what it uses."""
    if name == "open_pipeline":
        from rag.opening import open_pipeline

        return open_pipeline
    if name == "Pipeline":
        from rag.pipeline import Pipeline

        return Pipeline
    raise AttributeError(f"module 'rag' has no attribute {name!r}")
