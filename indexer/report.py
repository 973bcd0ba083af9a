"""What a build did, for people and for scripts."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.types import SourceFailure

_FAILURES_SHOWN = 10


@dataclass(frozen=True)
class BuildReport:
    """Counts are in records. `generation` is the index's current one, new where `changed`.

    `embedded` were put through an embedder by this run; `reused` share the vector of a record that says the same; the
    rest of `added` and `replaced` is of an earlier run that was stopped. `failed` could not be used, `failures` are the
    first 1,000 of them. `counts` are the index's records by kind, `seconds` the run's wall time.
    """

    path: str
    generation: int
    changed: bool
    added: int
    replaced: int
    removed: int
    unchanged: int
    embedded: int
    reused: int
    failed: int
    failures: tuple[SourceFailure, ...]
    counts: dict[str, int]
    seconds: float

    @property
    def rate(self) -> float:
        """Records embedded a second, decoding and writing included."""
        return self.embedded / self.seconds if self.seconds else 0.0

    def lines(self) -> list[str]:
        """The report as lines for a terminal; the first says it all."""
        holds = ", ".join(f"{count:,} {kind}s" for kind, count in sorted(self.counts.items()))
        if self.changed:
            did = f"{self.added:,} added, {self.replaced:,} replaced, {self.removed:,} removed"
            pace = f"{self.embedded:,} embedded in {self.seconds:.1f} s ({self.rate:.1f}/s)"
            shared = f"; {self.reused:,} share a vector that was there" if self.reused else ""
            head = f"{self.path}: generation {self.generation}: {holds} ({did}; {pace}{shared})"
        else:
            head = f"{self.path}: nothing new: generation {self.generation}: {holds}"
        shown = [f"  {f.source}: {f.id}: {f.reason}" for f in self.failures[:_FAILURES_SHOWN]]
        if not self.failed:
            return [head]
        more = self.failed - len(shown)
        tail = [f"  and {more:,} more"] if more else []
        return [head, f"{self.failed:,} records could not be used:", *shown, *tail]
