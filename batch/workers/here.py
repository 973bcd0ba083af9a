"""In this process: one thread prepares the next block while the model describes this one.

That is for a model on a GPU or behind a server, which must never wait for the disk.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice

from batch.types import Block, BlockResult
from batch.workers.work import PreparedBlock, ends_the_run, finish_block, prepare_block
from rag.pipeline import Pipeline


class Here:
    """`together` blocks are described at once, two for a server: it is then busy while the last answers of one come in.

    One more block is prepared meanwhile, so that memory holds the images of `together` + 1 blocks.
    """

    def __init__(self, pipeline: Pipeline, together: int = 1) -> None:
        self._pipeline = pipeline
        self._together = together

    def describe(self, blocks: Iterable[Block]) -> Generator[BlockResult, None, None]:
        """Results as they are done. Raises what ends the run once what was done is yielded."""
        coming = iter(blocks)
        with (
            ThreadPoolExecutor(1, thread_name_prefix="prepare") as preparers,
            ThreadPoolExecutor(self._together, thread_name_prefix="describe") as describers,
        ):
            under_way: list[Future[BlockResult]] = []  # in the order of the blocks
            try:
                while True:
                    for block in islice(coming, self._together + 1 - len(under_way)):
                        prepared = preparers.submit(prepare_block, self._pipeline, block)
                        under_way.append(describers.submit(self._finish, prepared))
                    if not under_way:
                        return
                    done = wait(under_way, return_when=FIRST_COMPLETED).done
                    ended = [future for future in under_way if future in done]
                    under_way = [future for future in under_way if future not in done]
                    for future in sorted(ended, key=ends_the_run):
                        yield future.result()
            finally:
                preparers.shutdown(wait=False, cancel_futures=True)
                describers.shutdown(wait=True, cancel_futures=True)

    def _finish(self, prepared: Future[PreparedBlock]) -> BlockResult:
        return finish_block(self._pipeline, prepared.result())
