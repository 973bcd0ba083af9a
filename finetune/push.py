"""An adapter or a merged model to the Hugging Face hub, in one commit; the token comes from HF_TOKEN.

What was learned from data without a stated licence is not pushed unless its owner says that it may be shared.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.errors import PushError
from indexer.licenses import is_stated
from vlm.errors import one_line
from vlm.weights import ADAPTER_CONFIG, adapter_folder

TOKEN = "HF_TOKEN"  # noqa: S105 - a variable's name
_BASE, _DATA = "base.json", "data.json"
_ENDINGS = (".json", ".safetensors", ".md", ".yaml", ".jinja", ".txt", ".model", ".png", ".csv")
_REPO = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Pushed:
    """Where it went: the repository's page, and the files in the commit."""

    url: str
    files: int


def push(given: Path, repo: str, *, private: bool = False, may_share: bool = False) -> Pushed:
    """Uploads the adapter or model of folder `given` (or of a run's folder) to `repo`, made where it is not there.

    `may_share` is what its owner says of data without a stated licence. Raises PushError: nothing to push, a licence
    that is not stated, no token, the hub refuses or cannot be reached.
    """
    folder = adapter_folder(given)
    files = _files(folder)
    if not _REPO.fullmatch(repo):
        raise PushError(f"--repo {repo!r} is no name on the hub: write it as OWNER/NAME")
    if not may_share:
        _check_licences(folder)
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise PushError(
            f"no {TOKEN} in the environment: make one that may write at https://huggingface.co/settings/tokens"
        )
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of whichever library it is built on

    try:
        return Pushed(_upload(folder, files, repo, private, token), len(files))
    except (HTTPError, OSError, ValueError, RuntimeError) as error:
        raise PushError(_told(error, repo, token)) from None  # what the client raised may hold the token


def _upload(folder: Path, files: list[Path], repo: str, private: bool, token: str) -> str:
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(token=token)
    operations = [
        CommitOperationAdd(str(file.relative_to(folder)), _shared_base(file) if file.name == _BASE else file)
        for file in files
    ]
    page = api.create_repo(repo, private=private, exist_ok=True)
    api.create_commit(repo, operations, commit_message=f"Upload {folder.name} with Lumenscribe")
    return str(page)


def _files(folder: Path) -> list[Path]:
    """What is pushed; not what names places on this machine. Raises PushError for a folder that holds no model."""
    weights = ("adapter_model.safetensors", ADAPTER_CONFIG) if (folder / ADAPTER_CONFIG).is_file() else ("config.json",)
    missing = [name for name in weights if not (folder / name).is_file()]
    if missing or not any(folder.glob("*.safetensors")):
        lacking = missing[0] if missing else "*.safetensors"
        raise PushError(f"{folder} has no {lacking}: give the folder of an adapter, of a run, or of a merged model")
    return sorted(
        file for file in folder.iterdir() if file.is_file() and file.suffix in _ENDINGS and file.name != _DATA
    )


def _check_licences(folder: Path) -> None:
    """Raises PushError where the run says nothing of its data's licences, or that some of them are not stated."""
    found = next((place / _DATA for place in (folder, folder.parent) if (place / _DATA).is_file()), None)
    advice = "If all of it is yours to share, say --data-may-be-shared"
    if found is None:
        raise PushError(f"{folder} has no {_DATA} beside it, so what it learned from may not be shareable. {advice}")
    try:
        said = json.loads(found.read_text(encoding="utf-8"))
        licences: Mapping[str, int] = said["licenses"]
        unstated = sum(int(count) for name, count in licences.items() if not is_stated(name))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PushError(f"{found} cannot be read: {one_line(error)}") from error
    if unstated or not licences:
        records = sum(map(int, licences.values()))
        raise PushError(f"{unstated:,} of the {records:,} records it learned from state no licence ({found}). {advice}")


def _shared_base(file: Path) -> bytes:
    """base.json without places on this machine."""
    said: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    said.pop("path", None)
    if said.get("model", "").endswith((".yaml", ".yml")):
        said["model"] = said.get("name")
    return (json.dumps(said, indent=1) + "\n").encode()


def _told(error: BaseException, repo: str, token: str) -> str:
    """What went wrong, in one line without the token."""
    chain = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) is not None and len(chain) < 10:
        chain.append(inner)
    status = next((code for cause in chain if (code := _status(cause)) is not None), None)
    why = {
        401: f"the hub does not know the token in {TOKEN}: make one at https://huggingface.co/settings/tokens",
        403: f"the token in {TOKEN} may not write to {repo}: make one that may, or give a repository of yours",
        404: f"the hub has no {repo}, or the token in {TOKEN} may not see it",
        409: f"{repo} was changed by somebody else meanwhile, or is of another kind: push again, or give another name",
    }.get(status or 0)
    if why is None and status is not None:
        why = f"the hub answers {status}. Push again later: what was uploaded is not uploaded twice"
    if why is None:
        said = one_line(chain[-1], 150).replace(token, "(token)")
        why = f"the hub cannot be reached or broke off ({said}). Push again: what was uploaded is not uploaded twice"
    return f"nothing was committed to {repo}: {why}"


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    return status if isinstance(status, int) else None
