"""The body of a form, as a browser sends it, of any parts: those of no browser, too."""

from __future__ import annotations

from dataclasses import dataclass

EDGE = "edge-of-parts"
TYPE = f"multipart/form-data; boundary={EDGE}"
"""The content type of what `form` makes."""


@dataclass(frozen=True)
class Part:
    """One part of a form."""

    name: str
    data: bytes
    file_name: str | None = None
    content_type: str | None = None

    def encoded(self) -> bytes:
        told = f'form-data; name="{self.name}"'
        if self.file_name is not None:
            told += f'; filename="{self.file_name}"'
        lines = [f"--{EDGE}", f"Content-Disposition: {told}"]
        if self.content_type is not None:
            lines.append(f"Content-Type: {self.content_type}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass") + self.data + b"\r\n"


def form(*parts: Part) -> bytes:
    """The body of a form."""
    return b"".join(part.encoded() for part in parts) + f"--{EDGE}--\r\n".encode()
