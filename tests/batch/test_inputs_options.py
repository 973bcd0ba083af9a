"""What is asked of the images of an input: the same of all, or what its records say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from input_makers import items, jsonl, png, read, write_files

from batch.errors import InputError
from batch.inputs import InputOptions, open_input
from batch.types import Item, Unusable

IMAGES = {f"images/{n}.png": png(n) for n in range(1, 5)}


def test_questions_are_one_for_all_or_the_records_own(tmp_path: Path) -> None:
    asked = [
        {"id": "1", "image": "images/1.png", "question": "Why?", "labels": ["a", "b"], "prompt": "How?"},
        {"id": "2", "image": "images/2.png", "question": "", "labels": "yes; no", "prompt": "Who?"},
    ]
    root = write_files(tmp_path, {**IMAGES, "records.jsonl": jsonl(*asked)})
    first, second = read(root, task="ask")
    assert isinstance(first, Item)
    assert (first.request.task, first.request.question) == ("ask", "Why?")
    assert isinstance(second, Unusable)
    assert second.reason == "question is missing"
    assert [i.request.question for i in items(root, task="ask", fields=("question=prompt",))] == ["How?", "Who?"]
    assert {i.request.question for i in items(root, task="ask", question="Where?")} == {"Where?"}
    chosen = items(root, task="classify", question="Which?")
    assert [i.request.labels for i in chosen] == [("a", "b"), ("yes", "no")]
    assert {i.request.labels for i in items(root, task="classify", question="Which?", labels=("x", "y"))} == {
        ("x", "y")
    }
    assert {i.request.schema for i in items(root, task="extract", schema="{}")} == {"{}"}
    with pytest.raises(InputError, match="no labels for the task classify"):
        read(root / "images", task="classify", question="Which?")
    for more, task in {
        ((), None, (), None): "caption",
        (("question=prompt",), None, (), None): "ask",
        ((), "Why?", (), None): "ask",
        ((), "Why?", ("a", "b"), None): "classify",
        (("labels=labels", "question=prompt"), None, (), None): "classify",
        ((), None, (), "{}"): "extract",
    }.items():
        fields, *asks = more
        found = list(open_input(str(root), InputOptions.of(fields, (), *asks)))
        assert {one.request.task for one in found if isinstance(one, Item)} == {task}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"fields": ("article:case",)}, "--field article:case: write it as NAME=FIELD"),
        ({"fields": ("imag=x",)}, "--field imag=x: did you mean 'image'"),
        ({"where": ("split",)}, "--where split: write it as FIELD=VALUE"),
        ({"task": "extract"}, "a schema and the task extract belong together"),
        ({"schema": "{}"}, "a schema and the task extract belong together"),
        ({"question": "Why?"}, "a question was given, but the task is caption"),
        ({"labels": ("a", "b")}, "labels were given, but the task is caption"),
        ({"labels": ("a", "a"), "task": "classify"}, "labels: give two or more"),
    ],
)
def test_options_that_do_not_go_together_are_refused_at_once(options: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        InputOptions(**options)


def test_a_folder_of_images_asks_one_question_of_all(tmp_path: Path) -> None:
    write_files(tmp_path, IMAGES)
    assert {item.request.question for item in items(tmp_path, task="ask", question=" Why? ")} == {"Why?"}
    with pytest.raises(InputError, match="no question for the task ask: give --question TEXT"):
        list(open_input(str(tmp_path), InputOptions(task="ask")))
