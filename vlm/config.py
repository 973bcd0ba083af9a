"""A model as configs/models/NAME.yaml describes it: where its files are, how to load them, how it is best used."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from configs import ROOT, ConfigError, StrictModel, find, parse, read_yaml
from vlm.errors import UnknownModel
from vlm.families import FAMILIES, Family
from vlm.types import GenerationParams

ExactDtype = Literal["bf16", "fp16", "fp32"]
Dtype = Literal["auto", ExactDtype]
VisionDtype = Literal["model", "bf16"]
Quantisation = Literal["none", "nf4", "int8"]


class GenerationDefaults(StrictModel):
    """How this model is best decoded: GenerationParams, without the seed."""

    max_new_tokens: Annotated[int, Field(ge=1)] = 128
    temperature: Annotated[float, Field(ge=0)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    repetition_penalty: Annotated[float, Field(gt=0)] = 1.0
    time_limit_s: Annotated[float, Field(gt=0)] | None = None


class ServerConfig(StrictModel):
    """A server with the OpenAI chat API, and how it may be asked."""

    url: str
    """Up to and with `/v1`."""
    model: str | None = None
    """The model as the server names it; none: the only one it offers."""
    key_env: str = "LUMENSCRIBE_SERVER_KEY"
    """The environment variable that holds the key. Servers without one take any."""
    concurrency: Annotated[int, Field(ge=1)] = 8
    """Requests under way at once."""
    timeout_s: Annotated[float, Field(gt=0)] = 120.0
    """How long one request may take."""
    retries: Annotated[int, Field(ge=0)] = 4
    """How often a request is made again where the server is busy, breaks off or cannot be reached."""
    image_side: Annotated[int, Field(ge=64)] = 1536
    """Longest side in pixels of the images sent; larger ones are made smaller."""

    @field_validator("url")
    @classmethod
    def _plain_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{value!r} is no address; write it as http://localhost:8000/v1")
        if parts.username or parts.password or parts.query:
            raise ValueError("an address with a key in it; put the key into the environment (server.key_env)")
        return value.rstrip("/")


SERVER = "server"
"""The family of what another program runs."""


class ModelConfig(StrictModel):
    """One model. It has `path`, or `hub_id` with a `revision`; where it has both, `path` is taken. Of a `hub_id` alone
    nothing is fetched: whoever uses it gives a `path`. One of family `server` has `server` instead."""

    name: str
    family: str
    hub_id: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    revision: str | None = None
    path: Path | None = None
    """Folder with the model's files; absolute once loaded."""
    server: ServerConfig | None = None
    dtype: Dtype = "auto"
    """auto: bf16 on a GPU, fp32 on a CPU."""
    vision_dtype: VisionDtype = "model"
    """Arithmetic of the vision tower alone, on hardware that has it; model: as all the rest. Weights stay in dtype."""
    quantisation: Quantisation = "none"
    trust_remote_code: bool = False
    generation: GenerationDefaults = GenerationDefaults()
    extract_tokens: Annotated[int, Field(ge=1)] = 768
    """New tokens for the fields of a document, in place of generation.max_new_tokens, which suits a caption."""
    prompt_tokens: Annotated[int, Field(ge=16)]
    """Text tokens a prompt may have, images not counted."""
    max_images: Annotated[int, Field(ge=1)] | None = None
    """Images this model was trained to read together, where that is fewer than its family can take."""
    caption_prompt: str
    """Name of the prompt template that suits this model for captions."""
    choice_prompt: str = "choice"
    """The same for a question with the answers to choose from."""
    label_temperature: Annotated[float, Field(gt=0)] = 1.0
    """Divides the log-probabilities of answers to choose from before they are shares of one: more than 1 for a model
    that is too sure of them. Of the model as it is; with an adapter it is another one, and this is 1."""
    evidence_order: Literal["best_first", "best_last"] = "best_last"
    """Where prompts have the example most like the image: first, or last and nearest to the instruction."""
    abstention: tuple[str, ...] = ()
    """Sentences by which this model says that it cannot tell."""
    larger_model: str | None = None
    """The model to name to those who want a better description than this small one gives."""
    license: str
    architecture: Path | None = None
    """Its config.json without its weights: a name of configs/architectures/ or, in a file of one's own, a JSON file
    beside it. What it costs is reckoned from it where its files are not on this machine."""
    parameters: Annotated[int, Field(ge=1)] | None = None
    """How many weights it has, tied ones once; none where only its server knows."""
    notes: str = ""

    @field_validator("family")
    @classmethod
    def _known_family(cls, value: str) -> str:
        known = [*FAMILIES, SERVER]
        if value not in known:
            near = difflib.get_close_matches(value, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise ValueError(f"unknown family {value!r}; {hint}")
        return value

    @model_validator(mode="after")
    def _has_files(self) -> ModelConfig:
        if (self.family == SERVER) != (self.server is not None):
            raise ValueError("family server and the key server belong together: give both or neither")
        if self.server is not None:
            if self.path is not None or self.hub_id is not None or self.quantisation != "none":
                raise ValueError("a model of a server has no path, hub_id or quantisation of its own")
        elif self.path is None and self.hub_id is None:
            raise ValueError("give path, or hub_id and revision")
        elif self.parameters is None:
            raise ValueError("parameters: how many weights it has")
        return self

    def dtype_with(self, gpu: bool) -> ExactDtype:
        """What `dtype` comes to on a machine with a GPU or without."""
        if self.dtype == "auto":
            return "bf16" if gpu else "fp32"
        return self.dtype

    def label_temperature_with(self, adapter: bool) -> float:
        """`label_temperature`, or 1 where an adapter makes another model of it."""
        return 1.0 if adapter else self.label_temperature

    @property
    def images_per_prompt(self) -> int | None:
        """Images a prompt may have: the smaller of the family's bound and the model's own; None is any number."""
        own = None if self.family == SERVER else self.how.max_images
        return min((bound for bound in (self.max_images, own) if bound is not None), default=None)

    @property
    def follows_instructions(self) -> bool:
        """Whether a prompt asks for something, or is the beginning of the text that the model writes on from."""
        return self.family == SERVER or self.how.follows_instructions

    @property
    def how(self) -> Family:
        """The family: how this model takes prompts. KeyError for one of a server, which knows that itself."""
        return FAMILIES[self.family]

    @property
    def source(self) -> str:
        """Where the model comes from, for messages: a server, a folder, or `hub id@revision`."""
        if self.server is not None:
            return self.server.url
        if self.path is not None:
            return str(self.path)
        return f"{self.hub_id}@{self.revision or '(no revision pinned)'}"

    @property
    def get_command(self) -> str:
        """The command that fetches this model; where no revision is pinned, how to use files that are there already."""
        if self.revision is None:
            return f"--model {self.name} --set model.path=FOLDER"
        return f"python cli.py models pull {self.name}"

    @property
    def notice(self) -> str | None:
        """What to tell the user of a small model, in one line; None where there is nothing to say."""
        if self.larger_model is None or self.parameters is None:
            return None
        return (
            f"{self.name} is a small embedded model ({self.parameters / 1e6:.0f} M parameters) and often wrong in "
            f"detail. For a larger one: --model {self.larger_model}"
        )

    def params(
        self,
        *,
        max_new_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        repetition_penalty: float | None = None,
        time_limit_s: float | None = None,
        seed: int = 0,
    ) -> GenerationParams:
        """This model's generation defaults, with what is given in their place."""
        own = self.generation
        return GenerationParams(
            max_new_tokens=own.max_new_tokens if max_new_tokens is None else max_new_tokens,
            temperature=own.temperature if temperature is None else temperature,
            top_p=own.top_p if top_p is None else top_p,
            repetition_penalty=own.repetition_penalty if repetition_penalty is None else repetition_penalty,
            seed=seed,
            time_limit_s=own.time_limit_s if time_limit_s is None else time_limit_s,
        )


def _architecture(given: str, base: Path, where: str) -> Path:
    """The file of a named architecture, or of one in folder `base`. Raises ConfigError with the near name."""
    if given.endswith(".json"):
        file = base / given
        if not file.is_file():
            raise ConfigError(f"{where}: architecture: {file} is not there")
        return file
    known = sorted(path.stem for path in (ROOT / "architectures").glob("*.json"))
    if given in known:
        return ROOT / "architectures" / f"{given}.json"
    near = difflib.get_close_matches(given, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    raise ConfigError(f"{where}: architecture: unknown {given!r}; {hint}")


def load_model_config(
    name: str,
    *,
    path: Path | None = None,
    quantisation: Quantisation | None = None,
    dtype: Dtype | None = None,
    vision_dtype: VisionDtype | None = None,
    url: str | None = None,
    served_model: str | None = None,
) -> ModelConfig:
    """The configuration of a named model, or of a YAML file given by path; what is given replaces its own values.

    A relative `path` of the file is taken from the repository's root (for a file given by path, from its own
    folder), the argument from the working directory. Raises UnknownModel, with the near name, and ConfigError.
    """
    try:
        file = find("models", name)
    except ConfigError as error:
        raise UnknownModel(str(error)) from error
    base = ROOT.parent if file.parent == ROOT / "models" else file.parent.absolute()
    data: dict[str, Any] = {"name": file.stem, **read_yaml(file)}
    if data.get("path") is not None:
        data["path"] = base / str(data["path"])
    if data.get("architecture") is not None:
        data["architecture"] = _architecture(str(data["architecture"]), base, file.name)
    given = {
        "path": path and path.absolute(),
        "quantisation": quantisation,
        "dtype": dtype,
        "vision_dtype": vision_dtype,
    }
    data.update({key: value for key, value in given.items() if value is not None})
    of_server = {"url": url, "model": served_model}
    if any(value is not None for value in of_server.values()):
        held = data.get("server")
        if not isinstance(held, dict):
            raise ConfigError(
                f"{file.name}: model.url and model.served_model are for a model of a server: --model server"
            )
        data["server"] = {**held, **{key: value for key, value in of_server.items() if value is not None}}
    return parse(ModelConfig, data, file.name)
