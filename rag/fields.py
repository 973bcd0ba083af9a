"""Fields of a document: the JSON Schema that they are asked for with, and answers held against it.

Nothing is fetched: a schema that refers to another one by address is refused.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

from rag.errors import AnswerError, RequestError


def read_schema(path: Path) -> str:
    """The schema of a file, as JSON text on one line. Raises RequestError where it is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RequestError(f"--schema {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise RequestError(f"--schema {path} is not JSON: {error}") from error
    return checked_schema(text, f"--schema {path}")


def checked_schema(text: str, where: str) -> str:
    """A schema as JSON text on one line; errors call it `where`. Raises RequestError where it is none."""
    try:
        schema = json.loads(text, parse_constant=_no_constant)
        if not isinstance(schema, dict):
            raise RequestError(f"{where} is no JSON Schema: its outermost value must be an object")
        Draft202012Validator.check_schema(schema)
    except ValueError as error:
        raise RequestError(f"{where} is not JSON: {error}") from error
    except SchemaError as error:
        raise RequestError(f"{where} is no JSON Schema: {_where(error)}{error.message}") from error
    except RecursionError:
        raise RequestError(f"{where} is nested too deeply") from None
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


def read_fields(text: str, schema: str) -> Any:
    """The JSON value that `text` is. Raises AnswerError where it is none, or does not satisfy `schema`."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        raise AnswerError(f"the answer is not JSON ({error}), as where a server holds it to no schema") from error
    validator = Draft202012Validator(json.loads(schema), registry=Registry())
    try:
        wrong = next(iter(validator.iter_errors(value)), None)
    except Unresolvable as error:
        raise AnswerError(f"the schema refers to {error.ref}, which is not in it") from error
    except re.error as error:
        raise AnswerError(f"the schema's pattern {error.pattern!r} cannot be checked: {error}") from error
    if wrong is not None:
        raise AnswerError(f"the answer does not satisfy the schema: {_where(wrong)}{wrong.message}")
    return value


def texts_of(value: Any) -> list[str]:
    """All texts in a JSON value, in order; keys are none."""
    if isinstance(value, str):
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inside for text in texts_of(each)]


def _where(error: Any) -> str:
    return f"{error.json_path}: " if error.path else ""


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
