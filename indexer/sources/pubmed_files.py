"""PubMed's yearly files on disk: which there are, and what one of them says.

https://ftp.ncbi.nlm.nih.gov/pubmed/baseline/README.txt: a baseline in December, then update files with new, revised
and deleted records, numbered on; beside each a `NAME.md5` with "MD5(NAME)= 32 hex digits". Knows nothing of passages.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element

from indexer.errors import SourceError
from indexer.sources.pmids import PmidSet
from indexer.sources.pubmed_records import Record, deleted_pmids, pmid_of, record_of
from indexer.sources.pubmed_xml import PubmedXmlError, elements

FTP = "https://ftp.ncbi.nlm.nih.gov/pubmed/"

_NAME = re.compile(r"(?:pubmed|medline)(\d\d)n\d{4,}\.xml\.gz")
_MD5 = re.compile(r"\b[0-9a-fA-F]{32}\b")
_CHUNK_BYTES = 1 << 13  # small, so that few elements are alive at a time: Python's garbage collector goes over them


class DamagedFileError(Exception):
    """A file that is not what NLM made: its checksum is another, or it is cut short or malformed."""


@dataclass
class FileContents:
    """What one file says: records by PMID, deletions, and records that could not be used (where, why)."""

    records: dict[int, Record] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    failures: list[tuple[str, str]] = field(default_factory=list)


def pubmed_files(folder: Path) -> list[Path]:
    """The files in a folder and its subfolders from the oldest to the newest.

    Raises SourceError: no folder, no such file in it, or files of two years, which must not be mixed: a baseline
    replaces all that was before, and what it has no more would come back.
    """
    if not folder.is_dir():
        raise SourceError(f"{folder}: no such folder; relative to {Path.cwd()}")
    found = {path: match for path in folder.rglob("*.xml.gz") if (match := _NAME.fullmatch(path.name))}
    if not found:
        raise SourceError(
            f"{folder}: no PubMed files (pubmed26n0001.xml.gz, ...) in it. Get {FTP}baseline/ and {FTP}updatefiles/"
        )
    years = sorted({match[1] for match in found.values()})
    if len(years) > 1:
        raise SourceError(f"{folder}: files of the years {', '.join(years)}. Keep one year's baseline and updates")
    return sorted(found, key=lambda path: (path.name, path))


def read_file(path: Path, superseded: PmidSet) -> FileContents:
    """What a file says, without the records whose PMID is `superseded`. Of several of one PMID the last counts.

    Holds one file's records: 30,000 at most. Raises DamagedFileError, and then nothing of the file is to be used.
    """
    contents = FileContents()
    try:
        _check_md5(path)
        with gzip.open(path) as file:
            for number, element in enumerate(elements(iter(partial(file.read, _CHUNK_BYTES), b"")), start=1):
                _take(element, number, superseded, contents)
    except (OSError, EOFError, zlib.error, PubmedXmlError) as error:
        raise DamagedFileError(f"{' '.join(str(error).split())}. Nothing of it is used: fetch it again") from error
    for pmid in contents.deleted:
        contents.records.pop(pmid, None)
    return contents


def _take(element: Element, number: int, superseded: PmidSet, contents: FileContents) -> None:
    if element.tag == "DeleteCitation":
        contents.deleted.update(deleted_pmids(element))
        return
    try:
        pmid = pmid_of(element)
        if pmid not in superseded:
            contents.records[pmid] = record_of(element)
    except ValueError as error:
        contents.failures.append((f"record {number}", str(error)))


def _check_md5(path: Path) -> None:
    """Compares with the `.md5` beside it, where there is one. Raises DamagedFileError."""
    beside = path.with_name(f"{path.name}.md5")
    if not beside.exists():
        return
    said = _MD5.search(beside.read_text(encoding="utf-8", errors="replace"))
    with path.open("rb") as file:
        is_ = hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()
    if said is None or said[0].lower() != is_:
        wanted = said[0].lower() if said else "none"
        raise DamagedFileError(f"its MD5 is {is_}, {beside.name} says {wanted}. Nothing of it is used: fetch it again")
