"""Asks a server with the OpenAI chat API: vLLM, SGLang, llama.cpp, `transformers serve`, or a hosted one.

Requests, retries and their pauses are the `openai` client's.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cached_property
from typing import Any, TypeVar

from vlm.config import ModelConfig, ServerConfig
from vlm.errors import PromptError, ServerRefused, ServerTimeout, ServerUnavailable, UnsupportedByServer, one_line
from vlm.labels import checked_labels
from vlm.server_messages import chat
from vlm.types import Generation, GenerationParams, LabelScores, Prompt, reads_fewer

T = TypeVar("T")

TOLD_TOKENS = 20
"""Of how many tokens a server is asked for the probability: the most that the API has."""
BYTES_PER_TOKEN = 3
"""Bytes of text to a token at the least: English has four and more, so a prompt is rather cut early than too long."""
_NO_KEY = "none"


class ServerEngine:
    """One model of a server. Implements `Engine`.

    `concurrency` prompts are under way at once, of all that are generating; how they are batched is the server's
    affair. An answer under greedy decoding may depend on what else the server is doing.
    """

    adapter = None

    def __init__(self, config: ModelConfig) -> None:
        if config.server is None:
            raise ValueError(f"model {config.name} is not a server's")
        self.max_images = config.images_per_prompt
        self._name = config.name
        self._label_temperature = config.label_temperature
        self._server: ServerConfig = config.server
        self._counts_streams = True
        self._places = threading.BoundedSemaphore(config.server.concurrency)

    @property
    def model(self) -> str:
        """The name of its configuration and of the model as the server names it, once that is known."""
        return f"{self._name}:{self._served}" if self._server.model or "_served" in vars(self) else self._name

    @cached_property
    def fingerprint(self) -> str:
        """12 hex digits of the server's address and the model's name there: its files a server does not show."""
        return hashlib.sha256(f"{self._server.url} {self._served}".encode()).hexdigest()[:12]

    def load(self) -> str:
        """Asks the server for its models where none is named, and returns the one that will be asked.

        Raises ServerUnavailable and ServerRefused.
        """
        return self._served

    def unload(self) -> None:
        """Nothing: the model's memory is the server's."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """An upper estimate of each text's tokens, `BYTES_PER_TOKEN`: the server's tokenizer is not at hand."""
        return [-(-len(text.encode()) // BYTES_PER_TOKEN) for text in texts]

    def generate(self, prompts: Sequence[Prompt], params: GenerationParams) -> Iterator[tuple[int, Generation]]:
        """Yields `(position in prompts, Generation)`, each as soon as it is done.

        Raises PromptError for a prompt with too many images or one that the server refuses, ServerUnavailable after
        the last retry, ServerRefused; what is under way then is waited for and dropped.
        """
        return self._each(prompts, params, lambda body: self._answer(body, params.time_limit_s))

    def stream(self, prompt: Prompt, params: GenerationParams) -> Generator[str | Generation, None, None]:
        """Yields the answer's text piece by piece and, last, its Generation. Closing it ends the request.

        A stream that breaks off is not begun again. Raises what `generate` does.
        """
        self._check_images([prompt])
        yield from self._pieces(self._body(prompt, params), params.time_limit_s)

    def score(
        self, prompts: Sequence[Prompt], labels: Sequence[str], one_pass: bool = False
    ) -> Iterator[tuple[int, LabelScores]]:
        """Yields `(position in prompts, LabelScores)`, each as soon as it is done; with `one_pass` alone.

        The server is asked for one token and its likeliest first tokens, `TOLD_TOKENS`. A label's probability is that
        of all those that it begins with and no other label does, letters' case aside, tempered and normalised as
        `LabelScores` says; one that is not among them has 0. Raises UnsupportedByServer at once without `one_pass`,
        since the chat API gives no probability of an answer that was not chosen, and where the server names no
        probabilities or none of a label; PromptError for labels that are no choice; and what `generate` does.
        """
        texts = checked_labels(labels)
        if not (one_pass and self.told_apart_at_once(texts)):
            raise UnsupportedByServer(
                f"{self.model}: a server does not say how likely whole answers are, only their first words. Give "
                f"labels whose first words differ, or take a model that runs here, for example --model smolvlm-500m"
            )
        asked = {"logprobs": True, "top_logprobs": TOLD_TOKENS}
        return self._each(prompts, GenerationParams(max_new_tokens=1), lambda body: self._likely(body | asked, texts))

    def logprob(self, prompts: Sequence[Prompt], text: str, begun: str = "") -> Iterator[tuple[int, float]]:  # noqa: ARG002
        """Raises UnsupportedByServer: the chat API gives no probability of an answer that was not chosen."""
        raise UnsupportedByServer(
            f"{self.model}: a server does not say how likely a given answer is, only what it answers. Take a model "
            f"that runs here, for example --model smolvlm-500m"
        )

    def told_apart_at_once(self, labels: Sequence[str]) -> bool:
        """Whether the first words of the labels differ."""
        firsts = {label.split()[0].casefold() for label in checked_labels(labels)}
        return len(firsts) == len(labels)

    def _each(
        self, prompts: Sequence[Prompt], params: GenerationParams, ask: Callable[[dict[str, Any]], T]
    ) -> Iterator[tuple[int, T]]:
        """Yields `(position, what ask gives)`, as many under way at once as the server may be asked.

        As many again have their requests made, images packed, while they wait for a place.
        """
        self._check_images(prompts)
        if not prompts:
            return
        self.load()
        with ThreadPoolExecutor(min(2 * self._server.concurrency, len(prompts))) as pool:
            positions = {pool.submit(self._in_a_place, ask, prompt, params): n for n, prompt in enumerate(prompts)}
            try:
                for done in as_completed(positions):
                    yield positions[done], done.result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _in_a_place(self, ask: Callable[[dict[str, Any]], T], prompt: Prompt, params: GenerationParams) -> T:
        """Waits where others are asking already: two batches may be under way, so that the server has no pause."""
        body = self._body(prompt, params)
        with self._places:
            return ask(body)

    def _check_images(self, prompts: Sequence[Prompt]) -> None:
        most = max((len(prompt.images) for prompt in prompts), default=0)
        if self.max_images is not None and most > self.max_images:
            raise PromptError(f"a prompt with {most} images, {reads_fewer(self.model, self.max_images)}")

    @cached_property
    def _openai(self) -> Any:
        try:
            return importlib.import_module("openai")
        except ImportError as error:
            raise UnsupportedByServer("models of a server need: pip install 'lumenscribe[server]'") from error

    @cached_property
    def _client(self) -> Any:
        return self._openai.OpenAI(
            base_url=self._server.url,
            api_key=self._key or _NO_KEY,
            timeout=self._server.timeout_s,
            max_retries=self._server.retries,
        )

    @property
    def _key(self) -> str | None:
        return os.environ.get(self._server.key_env)

    @cached_property
    def _served(self) -> str:
        if self._server.model is not None:
            return self._server.model
        try:
            offered = [str(entry.id) for entry in self._checked(self._asked(self._client.models.list), "data")]
        except ServerUnavailable as error:
            raise ServerUnavailable(
                f"{error} What it offers could not be learned; --set model.served_model=NAME makes that needless"
            ) from error
        if len(offered) != 1:
            raise ServerRefused(
                f"{self._server.url} offers {len(offered)} models{_some(offered)}. Name one: "
                f"--set model.served_model=NAME"
            )
        return offered[0]

    def _answer(self, body: dict[str, Any], time_limit_s: float | None) -> Generation:
        """One request, with its retries. `seconds` counts them."""
        if time_limit_s is not None:  # only of a stream there is something by then
            return next(piece for piece in self._pieces(body, time_limit_s) if isinstance(piece, Generation))
        started = time.perf_counter()
        said = self._asked(lambda: self._client.chat.completions.create(**body))
        seconds = time.perf_counter() - started
        choices = self._checked(said, "choices")
        if not choices:
            raise ServerUnavailable(f"{self._server.url} answers with no choice")
        return _generation(choices[0].message.content or "", choices[0].finish_reason, said.usage, seconds)

    def _likely(self, body: dict[str, Any], labels: Sequence[str]) -> LabelScores:
        """The probability of each label by the first token of the answer."""
        said = self._asked(lambda: self._client.chat.completions.create(**body))
        choices = self._checked(said, "choices")
        told = getattr(choices[0].logprobs, "content", None) if choices else None
        if not told:
            raise UnsupportedByServer(f"{self._server.url} names no probabilities of tokens. Ask without labels")
        found = dict.fromkeys(labels, 0.0)
        for token in told[0].top_logprobs:
            begun = token.token.strip().casefold()
            meant = [label for label in labels if begun and label.casefold().startswith(begun)]
            if len(meant) == 1:
                found[meant[0]] += math.exp(token.logprob)
        whole = sum(found.values())
        if not whole:
            raise UnsupportedByServer(
                f"{self._server.url}: none of {', '.join(labels)} is among the {TOLD_TOKENS} likeliest beginnings of "
                f"an answer. Ask without labels"
            )
        tempered = {label: chance ** (1 / self._label_temperature) for label, chance in found.items()}
        return LabelScores(tuple(tempered[label] / sum(tempered.values()) for label in labels), whole)

    def _pieces(self, body: dict[str, Any], time_limit_s: float | None) -> Generator[str | Generation, None, None]:
        """As `stream`. A stop at the time limit leaves the tokens uncounted where the server counts at the end."""
        body = {**body, "stream": True}
        started = time.perf_counter()
        text, finish, usage = "", "", None
        with self._opened(body) as events:
            ahead = iter(events)
            while (event := self._asked(lambda: next(ahead, None))) is not None:
                usage = event.usage or usage
                for choice in event.choices[:1]:
                    finish = choice.finish_reason or finish
                    if choice.delta.content:
                        text += choice.delta.content
                        yield choice.delta.content
                if time_limit_s is not None and time.perf_counter() - started > time_limit_s:
                    finish = finish or "time"
                    break
        if not finish:
            raise ServerUnavailable(f"{self._server.url} broke off in the middle of an answer. Ask again")
        yield _generation(text, finish, usage, time.perf_counter() - started)

    def _opened(self, body: dict[str, Any]) -> Any:
        """The stream of an answer. Not every server takes the wish for a count of tokens; some count unasked."""
        create = self._client.chat.completions.create
        if self._counts_streams:
            try:
                return self._asked(lambda: create(**body, stream_options={"include_usage": True}))
            except PromptError:
                self._counts_streams = False
        return self._asked(lambda: create(**body))

    def _body(self, prompt: Prompt, params: GenerationParams) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._served,
            "messages": chat(prompt, self._server.image_side),
            "max_tokens": params.max_new_tokens,
            "temperature": params.temperature,
            "seed": params.seed,
        }
        if prompt.schema is not None:
            form = {"name": "answer", "schema": json.loads(prompt.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        if params.temperature > 0:
            body["top_p"] = params.top_p
        if params.repetition_penalty != 1.0:
            body["extra_body"] = {"repetition_penalty": params.repetition_penalty}
        return body

    def _asked(self, ask: Any) -> Any:
        """What `ask` gets of the client, its errors as ours: one line, no key."""
        openai, where = self._openai, self._server.url
        try:
            return ask()
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            key = self._server.key_env
            told = f"does not take the key in {key}" if self._key else f"wants a key, and {key} is not set"
            raise ServerRefused(f"{where} {told}. Put it there: export {key}=...") from error
        except openai.NotFoundError as error:
            raise ServerRefused(
                f"{where} has no such address or model ({self._told(error)}). See what it offers: curl {where}/models"
            ) from error
        except openai.APITimeoutError as error:
            raise ServerTimeout(
                f"{where} gave no answer within {self._server.timeout_s:g} s, {self._tries} Give it longer "
                f"(server.timeout_s), or ask less at once (server.concurrency)"
            ) from error
        except openai.APIConnectionError as error:
            raise ServerUnavailable(
                f"{where} cannot be reached ({self._told(error.__cause__ or error)}), {self._tries} Is it running?"
            ) from error
        except (openai.RateLimitError, openai.InternalServerError) as error:
            raise ServerUnavailable(
                f"{where} answers {error.status_code} ({self._told(error)}), {self._tries}"
            ) from error
        except openai.APIStatusError as error:
            raise PromptError(f"{where} refuses this prompt: {error.status_code}, {self._told(error)}") from error
        except (openai.APIError, json.JSONDecodeError) as error:
            raise ServerUnavailable(f"{where} answers with what is no answer: {self._told(error)}") from error

    def _checked(self, said: Any, field: str) -> list[Any]:
        """The list in a field of what the server said: the client does not look whether it is there."""
        found = getattr(said, field, None)
        if not isinstance(found, list):
            raise ServerUnavailable(
                f"{self._server.url} answers with what is no answer. Does it have the OpenAI chat API?"
            )
        return found

    @property
    def _tries(self) -> str:
        times = self._server.retries + 1
        return "asked once." if times == 1 else f"asked {times} times."

    def _told(self, error: BaseException) -> str:
        """What the server said, in a line, without the key should it have said that."""
        told = one_line(error, 160)
        return told.replace(self._key, "(the key)") if self._key else told


def _generation(text: str, finish: str, usage: Any, seconds: float) -> Generation:
    return Generation(
        text=text.strip(),
        prompt_tokens=usage.prompt_tokens if usage else None,
        new_tokens=usage.completion_tokens if usage else None,
        stop="length" if finish == "length" else "time" if finish == "time" else "end",
        seconds=seconds,
        mean_logprob=None,
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f" ({shown}{', ...' if len(names) > 5 else ''})" if names else ""
