"""Joins a Ray cluster, or begins one on this machine, and keeps Ray's own talk off the terminal."""

from __future__ import annotations

import importlib
import logging
import math
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from batch.errors import RunStopped
from configs import ROOT
from vlm.errors import one_line

log = logging.getLogger(__name__)

INSTALL = "pip install 'lumenscribe[ray]'"
_STORE_BYTES = 1 << 30
"""Of the object store of a cluster begun here: blocks and results are small, and few are under way."""
_REACHED_S = 10.0
"""In which the head must take a connection."""


@dataclass(frozen=True)
class Size:
    """How many workers (None: as many as fit), and what each is given. `gpus` None: one where the cluster has any."""

    actors: int | None = None
    cpus: float = 1.0
    gpus: float | None = None


@dataclass(frozen=True)
class Fitted:
    """The same, resolved for one cluster."""

    actors: int
    cpus: float
    gpus: float


def ray_module() -> Any:
    """Ray with its data library. Raises RunStopped, with how to get it, where it is not installed."""
    try:
        importlib.import_module("ray.data")
        return importlib.import_module("ray")
    except ImportError as error:
        raise RunStopped(f"--engine ray needs: {INSTALL} ({one_line(error)})") from error


@contextmanager
def cluster(address: str | None, size: Size) -> Iterator[Fitted]:
    """A cluster to work on: the one at `address`, the one this process has joined, or a new one on this machine.

    What was begun or joined here is left at the end. Raises RunStopped where the cluster cannot be reached or not one
    worker fits on it.
    """
    ray = ray_module()
    ours = not ray.is_initialized()
    with _quiet():
        if ours:
            _join(ray, address, size)
        try:
            yield fitted(size, ray.cluster_resources())
        finally:
            if ours:
                ray.shutdown()


def fitted(size: Size, has: dict[str, float]) -> Fitted:
    """How many workers of this size there are to be on a cluster that `has` so many CPU and GPU.

    Raises RunStopped where none fits.
    """
    gpus = size.gpus if size.gpus is not None else float(has.get("GPU", 0) >= 1)
    wanted = {"CPU": size.cpus, "GPU": gpus}
    fits = (
        min(int(has.get(kind, 0) // share) for kind, share in wanted.items() if share > 0)
        if any(wanted.values())
        else 1
    )
    if not fits:
        there = ", ".join(f"{has.get(kind, 0):g} {kind}" for kind in wanted)
        raise RunStopped(
            f"no worker fits on the Ray cluster: each is to have {size.cpus:g} CPU and {gpus:g} GPU, and there are "
            f"{there}. Ask for less, or join machines to it: ray start --address=HEAD:6379"
        )
    return Fitted(size.actors or fits, size.cpus, gpus)


def _join(ray: Any, address: str | None, size: Size) -> None:
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # else the core warns on stderr of what Ray Data does
    paths = [str(ROOT.parent), os.environ.get("PYTHONPATH", "")]
    options: dict[str, Any] = {
        "runtime_env": {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, paths))}},
        "log_to_driver": False,
        "logging_level": logging.CRITICAL,
    }
    if address is None:
        cores = len(os.sched_getaffinity(0))
        needed = math.ceil((size.actors or 1) * size.cpus)
        options |= {
            "address": "local",
            "include_dashboard": False,
            "num_cpus": max(cores, needed),
            "object_store_memory": _STORE_BYTES,
        }
    else:
        _check_address(address)
        options["address"] = address
    try:
        with _stderr_aside():
            ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        where = address or "this machine"
        raise RunStopped(f"no Ray cluster at {where}: {one_line(error)} See it with: ray status") from error


def _check_address(address: str) -> None:
    """Raises RunStopped where nothing listens at HOST:PORT: Ray's core would end this process, after minutes."""
    host, _, port = address.rpartition(":")
    if address == "auto":
        return
    if "/" in host or not host or not port.isdigit():
        raise RunStopped(f"{address} is no address of a Ray cluster; write it as HOST:6379, or auto for this machine's")
    try:
        socket.create_connection((host, int(port)), _REACHED_S).close()
    except OSError as error:
        raise RunStopped(
            f"no Ray cluster at {address}: {one_line(error)}. Begin one there: ray start --head --port={port}"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Ray Data says on stderr that it starts and ends; the core prints each dead worker on stdout, where others read
    our progress, and has no switch for that (2.60). Both go to our log, at the level for debugging."""
    core: Any = importlib.import_module("ray._private.worker")
    data = logging.getLogger("ray.data")
    told, level = core.print_to_stdstream, data.level
    core.print_to_stdstream = lambda said, **_: log.debug("%s", said.get("lines"))
    data.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        data.setLevel(level)
        core.print_to_stdstream = told


@contextmanager
def _stderr_aside() -> Iterator[None]:
    """Ray's core says on stderr, which it writes to past Python, that it was told to say nothing there."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
