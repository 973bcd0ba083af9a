"""The web server: uvicorn, which before it waits for what is under way ends what only waits."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable

import uvicorn


class Server(uvicorn.Server):
    """`endings` are called first when it is to end: a page that is open in a browser holds a connection for as long as
    it is, and would keep the server for all the time that requests are given."""

    def __init__(self, config: uvicorn.Config, endings: Iterable[Callable[[], object]]) -> None:
        super().__init__(config)
        self._endings = endings

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for end in self._endings:
            end()
        await super().shutdown(sockets)
