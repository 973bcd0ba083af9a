"""What is opened once and shared by all requests: engines, indexes, checks; a pipeline for each way to ask."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from indexer import Index
from rag.config import Settings
from rag.opening import Shared, open_pipeline
from rag.pipeline import Pipeline
from rag.prompts import Task
from rag.starter import Tell, index_folder
from rag.types import Request

_PIPELINES = 64
"""So many are kept; they are small, what they have in common is not counted."""


class Opened:
    """Pipelines by their settings and task. Safe to use from several threads; models are loaded when first needed."""

    def __init__(self, tell: Tell = lambda _: None) -> None:
        self._said: set[str] = set()
        self._hear = tell
        self._shared = Shared()
        self._folders: dict[str, Path] = {}
        self._pipelines: OrderedDict[tuple[str, Task], Pipeline] = OrderedDict()
        self._lock = threading.RLock()

    def pipeline(self, settings: Settings, task: Task) -> Pipeline:
        """The pipeline of these settings for this task. Raises what `open_pipeline` does."""
        key = (settings.model_dump_json(), task)
        with self._lock:
            if key not in self._pipelines:
                self._pipelines[key] = open_pipeline(settings, [_example(task)], self._tell, shared=self._shared)
                if len(self._pipelines) > _PIPELINES:
                    self._pipelines.popitem(last=False)
            self._pipelines.move_to_end(key)
            return self._pipelines[key]

    def _tell(self, line: str) -> None:
        """What each pipeline says anew is told the first time."""
        if line not in self._said:
            self._said.add(line)
            self._hear(line)

    def index(self, folder: str) -> Index:
        """The index of a folder, or the starter index. Raises IndexerError."""
        with self._lock:
            if folder not in self._folders:  # where the starter index lies is told by hashes of what it is made of
                self._folders[folder] = index_folder(folder, self._tell)
            return self._shared.index(self._folders[folder])


def _example(task: Task) -> Request:
    """A request that has what the task needs."""
    schema = "{}" if task == "extract" else None
    return Request("", ("",), task, "?", labels=("yes", "no") if task == "classify" else (), schema=schema)
