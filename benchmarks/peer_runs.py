"""The stores that `scale_peers.py` measures: the environment of each, its settings, and how a step of it is run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import ROOT

STEPS = ROOT / "benchmarks" / "peers"


@dataclass(frozen=True)
class Environment:
    """A virtual environment in the work folder and what it is made of; with no requirements, this one.

    `cited` are lines of its packages that say what is said of it: the file, and the line.
    """

    name: str
    requires: tuple[str, ...] = ()
    cited: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Contender:
    """A store in one of its settings, those of `peers/SCRIPT` for each step; with `effort`, what may be turned up."""

    name: str
    script: str
    environment: Environment
    build: str = ""
    open: tuple[str, ...] = ("",)
    ask: tuple[str, ...] = ("",)
    effort: str = ""


OURS = Environment("ours")
LANGCHAIN = Environment(
    "peers-lc",
    ("langchain-community==0.4.2", "faiss-cpu==1.15.1", "numpy==2.4.6"),
    (
        ("langchain_community/vectorstores/faiss.py", "if not allow_dangerous_deserialization:"),
        ("langchain_community/vectorstores/faiss.py", 'with open(path / f"{index_name}.pkl", "wb") as f:'),
        ("langchain_community/retrievers/bm25.py", "from rank_bm25 import BM25Okapi"),
    ),
)
AUTOFAISS = Environment(
    "peers-autofaiss",
    ("autofaiss==2.18.0", "faiss-cpu==1.15.1", "numpy==1.26.4", "pyarrow==25.0.1"),  # the last for this NumPy
    (
        ("autofaiss/external/quantize.py", "max_index_query_time_ms: float = 10.0,"),
        ("autofaiss/external/optimize.py", 'with fsspec.open(index_path, "wb").open() as f:'),
    ),
)
CONTENDERS = (
    Contender("ours", "our_index.py", OURS, open=("", "words"), ask=("", "words")),
    Contender("ours, with lists", "our_index.py", OURS, "lists", ("", "words"), ("", "words")),
    Contender("langchain", "langchain_store.py", LANGCHAIN, open=("", "mapped"), ask=("", "mapped")),
    Contender("autofaiss", "autofaiss_index.py", AUTOFAISS, open=("", "mapped"), effort="efSearch"),
    Contender("autofaiss, mappable", "autofaiss_index.py", AUTOFAISS, "mappable", ("", "mapped"), effort="nprobe"),
)


class NotMeasuredError(Exception):
    """An environment that could not be made, or a step that could not be run, and why."""


@dataclass(frozen=True)
class Place:
    """A contender's interpreter, or why it has none; the inputs; the folder its store is in."""

    contender: Contender
    python: Path | NotMeasuredError
    inputs: Path

    @property
    def store(self) -> Path:
        return self.inputs / self.contender.name.replace(", ", "-").replace(" ", "-")

    def run(self, step: str, setting: str = "") -> dict[str, Any]:
        """What a step says of itself, in a process of its own. Raises NotMeasuredError."""
        if isinstance(self.python, NotMeasuredError):
            raise self.python
        if step == "build":
            shutil.rmtree(self.store, ignore_errors=True)
        script = str(STEPS / self.contender.script)
        try:
            said = lines([str(self.python), script, step, str(self.inputs), str(self.store), setting])
        except NotMeasuredError as error:
            raise NotMeasuredError(str(error).replace(f"{self.inputs}{os.sep}", "")) from error
        rounded: dict[str, Any] = json.loads(said[-1], parse_float=lambda number: float(f"{float(number):.4g}"))
        return rounded


def interpreter(work: Path, environment: Environment) -> Path | NotMeasuredError:
    """The interpreter of an environment, made where it is not there; or why it could not be."""
    if not environment.requires:
        return Path(sys.executable)
    folder = work / environment.name
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    if stamp.exists() and stamp.read_text().split() == list(environment.requires):
        return python
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if uv is None:
        return NotMeasuredError("uv is not installed. Install it: pip install uv")
    try:
        lines([uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)])
        lines([uv, "pip", "install", "-q", "--python", str(python), *environment.requires])
    except NotMeasuredError as error:
        return error
    stamp.write_text("\n".join(environment.requires))
    return python


def cited(work: Path) -> Iterator[str]:
    """The lines of the peers' packages that say what is said of them: `file:line: text`."""
    for environment in (LANGCHAIN, AUTOFAISS):
        for name, said in environment.cited:
            for file in (work / environment.name).glob(f"lib/*/site-packages/{name}"):
                numbers = [str(n) for n, line in enumerate(file.read_text().splitlines(), 1) if line.strip() == said]
                yield f"{name}:{','.join(numbers)}: {said}"


def lines(command: list[str]) -> list[str]:
    """What a command printed. Raises NotMeasuredError with the last line of its complaint."""
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    if done.returncode:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit {done.returncode}"
        raise NotMeasuredError(f"{how}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    return done.stdout.splitlines()
