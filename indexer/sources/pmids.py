"""Which PubMed records were met: a bit for each PMID, so that all of PubMed fits in a few MiB."""

from __future__ import annotations

LARGEST_PMID = 999_999_999
"""Beyond today's 42 million by far; what is larger is no PMID, and would make the set large."""


class PmidSet:
    """A set of PMIDs as a bitmap: 5 MiB for the PMIDs up to 42 million, however many of them are in it."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def __contains__(self, pmid: int) -> bool:
        byte, bit = divmod(pmid, 8)
        return byte < len(self._bits) and bool(self._bits[byte] >> bit & 1)

    def add(self, pmid: int) -> bool:
        """Puts a PMID in; whether it is new there. Raises ValueError where it is none."""
        if not 0 < pmid <= LARGEST_PMID:
            raise ValueError(f"{pmid} is no PMID")
        byte, bit = divmod(pmid, 8)
        if byte >= len(self._bits):
            self._bits.extend(bytes(byte + 1 - len(self._bits)))
        if self._bits[byte] >> bit & 1:
            return False
        self._bits[byte] |= 1 << bit
        return True
