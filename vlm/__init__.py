"""Who speaks: model families, loading and quantising, engines that generate. Importing it imports no torch."""

from vlm.catalogue import ModelEntry, list_models
from vlm.config import ModelConfig, load_model_config
from vlm.engine import TransformersEngine, open_engine
from vlm.errors import (
    AdapterMismatch,
    AdapterNotFound,
    BenchError,
    HubUnreachable,
    ModelNotFound,
    ModelUnusable,
    OutOfMemory,
    PromptError,
    ServerRefused,
    ServerUnavailable,
    UnknownModel,
    UnsupportedByServer,
    UnsupportedQuantisation,
    UnsupportedSchema,
    VlmError,
)
from vlm.families import FAMILIES
from vlm.types import Engine, Generation, GenerationParams, LabelScores, Message, Prompt

__all__ = [
    "FAMILIES",
    "AdapterMismatch",
    "AdapterNotFound",
    "BenchError",
    "Engine",
    "Generation",
    "GenerationParams",
    "HubUnreachable",
    "LabelScores",
    "Message",
    "ModelConfig",
    "ModelEntry",
    "ModelNotFound",
    "ModelUnusable",
    "OutOfMemory",
    "Prompt",
    "PromptError",
    "ServerRefused",
    "ServerUnavailable",
    "TransformersEngine",
    "UnknownModel",
    "UnsupportedByServer",
    "UnsupportedQuantisation",
    "UnsupportedSchema",
    "VlmError",
    "list_models",
    "load_model_config",
    "open_engine",
]
