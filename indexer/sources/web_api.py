"""HTTP requests to a web API: each with a time-out, each fault that may pass told from one that does not.

Knows nothing of any one API: a client brings the check of what came back.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from indexer.errors import SourceError
from indexer.sources.fetching import PASSING_STATUSES, Manners, PassingFaultError, Say, retry_after_s

if TYPE_CHECKING:
    import requests

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0
"""How long a server may be silent, connecting and in the middle of an answer."""


class WebApi:
    """One API, asked over a connection that is kept, at the pace and with the patience of `manners`.

    `say` is told of each wait that is not of that pace. A context manager: leaving it closes the connection.
    """

    def __init__(
        self,
        manners: Manners,
        say: Say = lambda _: None,
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        import requests

        self.name = manners.name
        self._manners = manners
        self._say = say
        self._timeouts_s = (connect_timeout_s, read_timeout_s)
        self._session = requests.Session()

    def __enter__(self) -> WebApi:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def ask(
        self, what: str, method: str, url: str, check: Callable[[requests.Response], None], **options: Any
    ) -> requests.Response:
        """The answer to one request that `check` has nothing against, whatever its status.

        `what` names the request in messages; `options` are those of `requests.Session.request`. `check` may
        raise PassingFaultError, and the request is made again. Raises SourceError where it fails for good.
        """

        def request() -> requests.Response:
            response = self._request(what, method, url, options)
            check(response)
            return response

        return self._manners.ask(what, request, self._say)

    def _request(self, what: str, method: str, url: str, options: dict[str, Any]) -> requests.Response:
        from requests import RequestException, exceptions

        try:
            response = self._session.request(method, url, timeout=self._timeouts_s, **options)
        except exceptions.Timeout as error:
            raise PassingFaultError(f"no answer within {self._timeouts_s[1]:g} s") from error
        except (exceptions.ChunkedEncodingError, exceptions.ContentDecodingError) as error:
            raise PassingFaultError("the connection was cut in the middle of the answer") from error
        except exceptions.ConnectionError as error:
            raise PassingFaultError(f"no connection to {url.split('?')[0]}, or it was cut") from error
        except (RequestException, ValueError) as error:
            # The error's own text may quote the request's headers.
            reason = type(error).__name__
            raise SourceError(f"{self.name}: {what}: {url} cannot be asked ({reason}). Check the url") from None
        if response.status_code in PASSING_STATUSES:
            raise PassingFaultError(f"HTTP {response.status_code}", retry_after_s(response.headers))
        return response


def user_agent(*parts: str) -> str:
    """How this program names itself to a server: itself with its version, then `parts`."""
    try:
        version = importlib.metadata.version("lumenscribe")
    except importlib.metadata.PackageNotFoundError:
        version = "0"
    return " ".join([f"Lumenscribe-bot/{version}", *parts])


def one_line(text: str, longest: int = 200) -> str:
    """Text from outside as part of a message: without line breaks, cut to `longest` characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 3] + "..."
