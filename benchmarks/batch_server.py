"""A stand-in for a server with the OpenAI chat API: every answer takes the same time, so many at once.

    python benchmarks/batch_server.py --places 8 --seconds 0.25 [--port 0] [--keep FILE]

It prints its port, and serves until it is ended. Like vLLM's continuous batching it begins a request as soon as one of
its places is free; it costs next to no CPU, so that two cores are left to who asks. With `--keep` the bodies it is sent
are appended to a file, each after its length (8 bytes, little-endian). `/seen` tells how many it answered, when the
first came in and when the last was answered (`time.time()`); asking resets that.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

MODELS = {"object": "list", "data": [{"id": "stand-in", "object": "model", "created": 1, "owned_by": "us"}]}
TEXT = "A chest radiograph with clear lungs. The heart is of normal size."
SAID = {
    "id": "1", "object": "chat.completion", "created": 1, "model": "stand-in",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 400, "completion_tokens": 16, "total_tokens": 416},
}  # fmt: skip
_LARGEST = 2**26


class StandIn:
    """What answers."""

    def __init__(self, places: int, seconds: float, keep: BinaryIO | None) -> None:
        self._places, self._seconds, self._keep = asyncio.Semaphore(places), seconds, keep
        self._seen: dict[str, float] = {"answered": 0}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = next((int(v) for k, _, v in map(_field, head.split("\r\n")) if k == "content-length"), 0)
                said = await self._answer(head.split(" ", 2)[1], await reader.readexactly(length))
                body = json.dumps(said).encode()
                top = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(top.encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, path: str, body: bytes) -> Any:
        if path.endswith("/models"):
            return MODELS
        if path == "/seen":
            seen, self._seen = self._seen, {"answered": 0}
            return seen
        self._seen.setdefault("first", time.time())
        if self._keep is not None:
            self._keep.write(len(body).to_bytes(8, "little") + body)
            self._keep.flush()
        async with self._places:
            await asyncio.sleep(self._seconds)
        self._seen["answered"] += 1
        self._seen["last"] = time.time()
        return SAID


def _field(line: str) -> tuple[str, str, str]:
    name, colon, value = line.partition(":")
    return name.strip().lower(), colon, value.strip()


class Server:
    """The stand-in in a process of its own, for as long as the `with` lasts."""

    def __init__(self, places: int = 8, seconds: float = 0.25, port: int = 0, keep: Path | None = None) -> None:
        words = ["--places", str(places), "--seconds", str(seconds), "--port", str(port)]
        words += ["--keep", str(keep)] if keep else []
        self.process = subprocess.Popen([sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline()) if self.process.stdout else 0
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def seen(self) -> dict[str, float]:
        """What it did since this was asked before."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/seen")
        found: dict[str, float] = json.loads(connection.getresponse().read())
        connection.close()
        return found

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()


def kept(file: Path) -> list[bytes]:
    """The bodies that a server kept."""
    found = []
    with file.open("rb") as opened:
        while size := opened.read(8):
            found.append(opened.read(int.from_bytes(size, "little")))
    return found


def fastest(port: int, bodies: list[bytes], at_once: int) -> float:
    """Seconds for all of these with nothing to be done beside: a connection a place, the next sent as one is free."""

    def ask(mine: list[bytes]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for body in mine:
            connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
            connection.getresponse().read()
        connection.close()

    shares = [bodies[place::at_once] for place in range(at_once)]
    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(ask, shares))
    return time.perf_counter() - began


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--places", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=0.25)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    keep = args.keep.open("ab") if args.keep else None
    stand_in = StandIn(args.places, args.seconds, keep)
    server = await asyncio.start_server(stand_in.serve, "127.0.0.1", args.port, limit=_LARGEST)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
