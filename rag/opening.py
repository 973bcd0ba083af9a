"""Settings -> a pipeline, with what its requests need and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from indexer import Index, open_index
from rag.checking import Checking, checking_of
from rag.config import CheckSettings, ModelSettings, Settings
from rag.errors import RequestError, TemplateError
from rag.neighbourhood import Electorate
from rag.pipeline import Pipeline
from rag.prompts import PromptTemplate, Task
from rag.retrieve import EvidenceFinder, Retriever
from rag.starter import Tell, index_folder
from rag.types import Request, Speaker
from vlm import Engine, GenerationParams, ModelConfig, load_model_config, open_engine

SERVES: dict[Task, set[Task]] = {"caption": {"caption"}, "ask": {"ask", "classify"}, "classify": {"classify"},
                                 "extract": {"extract"}}  # fmt: skip
"""The tasks that a template may be used for: a question reads the same with answers to choose from."""


class Shared:
    """What pipelines have in common, each opened once: an engine a model, adapter and batch size; an index a folder;
    the checks of the same settings.

    The models of an index and of the checks stay loaded. Engines that are not at work can be made to let go of theirs.
    """

    def __init__(self) -> None:
        self._engines: dict[tuple[ModelConfig, Path | None, int], Engine] = {}
        self._indexes: dict[Path, Index] = {}
        self._checking: dict[str, Checking] = {}

    def engine(self, model: ModelConfig, adapter: Path | None, batch_size: int) -> Engine:
        """The engine of that model; opened where it is the first time."""
        key = (model, adapter, batch_size)
        if key not in self._engines:
            self._engines[key] = open_engine(*key)
        return self._engines[key]

    def index(self, folder: Path) -> Index:
        """The index in that folder; opened where it is the first time."""
        if folder not in self._indexes:
            self._indexes[folder] = open_index(folder)
        return self._indexes[folder]

    def checking(self, settings: CheckSettings) -> Checking:
        """The checks of these settings; made where it is the first time."""
        key = settings.model_dump_json()
        if key not in self._checking:
            self._checking[key] = checking_of(settings)
        return self._checking[key]

    def only(self, engine: Engine) -> None:
        """Unloads every other engine's model, so that one is in memory at a time."""
        for other in self._engines.values():
            if other is not engine:
                other.unload()


def open_pipeline(
    settings: Settings,
    requests: Sequence[Request],
    tell: Tell = lambda _: None,
    finder: EvidenceFinder | None = None,
    shared: Shared | None = None,
) -> Pipeline:
    """The pipeline for these requests' tasks. `tell` hears what a person should know.

    `finder` finds the evidence in place of the index that the settings name, which is then not opened. `shared` has
    what other pipelines opened already.

    Loads no model: the first batch with an image that can be read does, or `Pipeline.load`. Raises ConfigError,
    IndexerError, VlmError, TemplateError and RequestError for what can be refused before that.
    """
    shared = shared or Shared()
    model = model_config(settings.model)
    tasks: set[Task] = {request.task for request in requests}
    _check_tasks(model, requests)
    templates = _templates(settings, model, tasks)
    engine = shared.engine(model, settings.model.adapter, settings.batch_size)
    _check_example_images(settings, engine)
    shows_evidence = any(template.kinds for template in templates.values())
    checking = shared.checking(settings.check)
    retriever: EvidenceFinder | None = None
    if settings.retrieval.enabled and shows_evidence:
        # Confidence is told of texts alone, not of fields and labels.
        voters = checking.reliance.electorate if tasks & {"caption", "ask"} else None
        retriever = finder or _retriever(settings, tell, shared, voters)
    if model.notice:
        tell(model.notice)
    order = settings.prompt.evidence_order or model.evidence_order
    params = _params(settings, model, tasks)
    speaker = Speaker(engine, model.prompt_tokens, params, model.abstention, order, model)
    return Pipeline(settings, speaker, templates, retriever, checking)


def model_config(asked: ModelSettings) -> ModelConfig:
    """The model that settings name, with what they override. Raises UnknownModel and ConfigError."""
    return load_model_config(asked.name, **asked.model_dump(exclude={"name", "adapter"}, exclude_none=True))


def _params(settings: Settings, model: ModelConfig, tasks: set[Task]) -> GenerationParams:
    """How to decode. Where nobody said otherwise, fields of documents get more tokens than captions, and no token is
    punished for having been there before: quotes and keys must be."""
    asked = settings.generation.model_dump()
    own = {"max_new_tokens": model.extract_tokens, "repetition_penalty": 1.0} if tasks == {"extract"} else {}
    return model.params(**asked | {key: value for key, value in own.items() if asked[key] is None})


def _check_tasks(model: ModelConfig, requests: Sequence[Request]) -> None:
    """Raises RequestError for a model that has not learned to do what is asked."""
    if model.images_per_prompt == 0 and any(request.images for request in requests):
        raise RequestError(f"{model.name} reads texts alone. For images take another: python cli.py models list")
    if not model.follows_instructions and any(request.task != "caption" for request in requests):
        raise RequestError(f"{model.name} writes captions and answers no questions. Take --model smolvlm-500m")


def _templates(settings: Settings, model: ModelConfig, tasks: set[Task]) -> dict[Task, PromptTemplate]:
    """A template for each task: the one that was asked for where it is of that task, else the default."""
    templates = {task: _default_template(settings, model, task) for task in tasks}
    if settings.prompt.template:
        chosen = PromptTemplate.load(settings.prompt.template)
        served = tasks & SERVES[chosen.config.task]
        if not served:
            raise TemplateError(
                f"prompt {chosen.name} is for {chosen.config.task}, not for {', '.join(sorted(tasks))}; "
                "see: python cli.py prompts list"
            )
        templates |= dict.fromkeys(served, chosen)
    return templates


def _default_template(settings: Settings, model: ModelConfig, task: Task) -> PromptTemplate:
    if task == "caption":
        own = PromptTemplate.load(model.caption_prompt)
        return own if settings.retrieval.enabled or not own.kinds else PromptTemplate.load("zero_shot")
    return PromptTemplate.load({"ask": "question", "classify": model.choice_prompt, "extract": "extract"}[task])


def _check_example_images(settings: Settings, engine: Engine) -> None:
    needed = 1 + settings.retrieval.k
    limit = engine.max_images
    if settings.prompt.example_images and settings.retrieval.enabled and limit is not None and limit < needed:
        raise RequestError(
            f"prompt.example_images with k={settings.retrieval.k} puts {needed} images into a prompt, but "
            f"{engine.model} reads {limit}. Leave it off, or take --model smolvlm-500m"
        )


def _retriever(settings: Settings, tell: Tell, shared: Shared, voters: Electorate | None) -> Retriever:
    asked = settings.retrieval
    index = shared.index(index_folder(asked.index, tell))
    only = asked.only.filter()
    return Retriever(index, asked.k, asked.guard, only, asked.selection(), tuple(asked.narrow), voters)
