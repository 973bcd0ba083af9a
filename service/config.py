"""`configs/service.yaml` and what is laid over it: where it listens, what clients may choose, and the limits."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from configs import ROOT, ConfigError, StrictModel, parse, read_yaml
from rag.config import Settings, assigned, merged, resolve
from service.jobs.types import JobSettings

Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Offered(StrictModel):
    """What a client may choose from, by name. `prompts` empty: all of configs/prompts. `indexes` is name -> folder."""

    models: Annotated[list[Name], Field(min_length=1)]
    prompts: list[Name]
    indexes: Annotated[dict[Name, str], Field(min_length=1)]


class Limits(StrictModel):
    """What one request and one client may take. Pixels are of one image or frame, counted before it is decoded."""

    body_mib: Count
    pixels: Count
    volume_mib: Count
    images: Annotated[int, Field(ge=1, le=1000)]
    body_s: Seconds
    uploads_at_once: Count
    requests_a_minute: Count
    wrong_keys_a_minute: Count


class DeskConfig(StrictModel):
    """How requests become batches.

    Those that come within `window_ms` of the first are described together, `max_batch` at most. `max_waiting` may wait
    with `waiting_mib` of uploads, each for `time_limit_s` until it is answered. `processes` describe: null for as many
    as suit the model, 0 for threads of this process.
    """

    window_ms: Annotated[float, Field(ge=0, le=10_000)]
    max_batch: Annotated[int, Field(ge=1, le=256)]
    max_waiting: Count
    waiting_mib: Count
    time_limit_s: Seconds
    processes: Annotated[int, Field(ge=0, le=64)] | None


class KeyFile(StrictModel):
    """Where keys are known by their hashes: a YAML file, and the environment variable LUMENSCRIBE_KEYS."""

    file: Path | None
    session_hours: Seconds


class ServiceConfig(StrictModel):
    """All of it, resolved. `settings` are laid over configs/default.yaml; `hosts` are names it may be asked under."""

    host: str
    port: Annotated[int, Field(ge=0, le=65535)]
    hosts: list[str]
    open_to_network: bool
    data: Path
    offered: Offered
    settings: dict[str, Any]
    keys: KeyFile
    limits: Limits
    desk: DeskConfig
    jobs: JobSettings
    records: Count
    page: bool
    log: Literal["debug", "info", "warning", "error"]

    @field_validator("settings")
    @classmethod
    def _can_be_resolved(cls, given: dict[str, Any]) -> dict[str, Any]:
        try:
            resolve(given, described="settings")
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return given

    def resolved(self) -> Settings:
        """The settings of a request that chooses nothing."""
        return resolve(self.settings, described="settings")


def load_config(file: Path | None = None, assignments: Iterable[str] = (), **overrides: Any) -> ServiceConfig:
    """`configs/service.yaml`, then the file, then `a.b=value` assignments, then overrides that are not None.

    Raises ConfigError.
    """
    data, where = read_yaml(ROOT / "service.yaml"), "service.yaml"
    if file is not None:
        data, where = merged(data, read_yaml(file)), file.name
    data = assigned(ServiceConfig, data, assignments, "desk.max_batch=16")
    data = merged(data, {key: value for key, value in overrides.items() if value is not None})
    return parse(ServiceConfig, data, where)
