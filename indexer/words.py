"""Search by words beside search by vectors: SQLite's FTS5 with BM25, in the index's own database.

The words of a record live and go with its row, so both kinds of search always see the same generation.
"""

from __future__ import annotations

import sqlite3
import threading

from indexer.types import Kind

MOST_POSTINGS, MOST_OF_ONE = 8_000, 32_000
"""How many records a query's words may stand in, added up; beyond, the commonest words are left out of it. And how many
a lone word may: a commoner one finds nothing by BM25 that a vector would not.

BM25 weighs a word that stands in one of ten records about a fifth of one that stands in one of 50,000, and FTS5
scores every record that holds any of the words: the common ones cost most and say least.
"""
COMMON = 1_000
"""How many records a word stands in whose number is kept: FTS5 finds it by reading the word's whole list, which for the
few common ones took most of a query's time at a million records."""
_TITLE_WEIGHT = 2.0

_SCHEMA = """
CREATE VIEW IF NOT EXISTS TABLE_OF_KIND_said AS SELECT row, text, title FROM records WHERE kind = 'KIND';
CREATE VIRTUAL TABLE IF NOT EXISTS TABLE_OF_KIND USING fts5(
    text, title, content='TABLE_OF_KIND_said', content_rowid='row', tokenize='porter unicode61 remove_diacritics 2'
);
CREATE VIRTUAL TABLE IF NOT EXISTS TABLE_OF_KIND_known USING fts5vocab(TABLE_OF_KIND, 'row');
CREATE TABLE IF NOT EXISTS TABLE_OF_KIND_common (term TEXT PRIMARY KEY, doc INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS TABLE_OF_KIND_added AFTER INSERT ON records WHEN new.kind = 'KIND' BEGIN
    INSERT INTO TABLE_OF_KIND (rowid, text, title) VALUES (new.row, new.text, new.title);
END;
CREATE TRIGGER IF NOT EXISTS TABLE_OF_KIND_gone AFTER DELETE ON records WHEN old.kind = 'KIND' BEGIN
    INSERT INTO TABLE_OF_KIND (TABLE_OF_KIND, rowid, text, title) VALUES ('delete', old.row, old.text, old.title);
END;
"""
_TABLES: dict[Kind, str] = {"example": "example_words", "passage": "passage_words"}


def schema_sql() -> str:
    """The tables, and the triggers that keep them as the records are."""
    return "".join(_SCHEMA.replace("TABLE_OF_KIND", table).replace("KIND", kind) for kind, table in _TABLES.items())


def matching_sql(kind: Kind) -> str:
    """Rows of a kind, best first by BM25, of all generations: values are `:match` and `:most`."""
    table = _TABLES[kind]
    return (
        f"SELECT rowid AS row FROM {table} WHERE {table} MATCH :match "  # noqa: S608 - the table is ours
        f"ORDER BY bm25({table}, 1.0, {_TITLE_WEIGHT}), rowid LIMIT :most"
    )


def common_sql(kind: Kind, marks: str) -> str:
    """How many rows held each of the common ones among the stems of `marks`, when they were counted last."""
    return f"SELECT term, doc FROM {_TABLES[kind]}_common WHERE term IN ({marks})"  # noqa: S608 - as above


def known_sql(kind: Kind, marks: str) -> str:
    """How many rows hold each of the stems that `marks` stand for; slow for common ones."""
    return f"SELECT term, doc FROM {_TABLES[kind]}_known WHERE term IN ({marks})"  # noqa: S608 - as above


def count_sql(kind: Kind) -> tuple[str, str]:
    """Two statements that count the common words anew."""
    table = _TABLES[kind]
    return (
        f"DELETE FROM {table}_common",  # noqa: S608 - as above
        f"INSERT INTO {table}_common SELECT term, doc FROM {table}_known WHERE doc >= {COMMON}",  # noqa: S608 - as above
    )


def optimize_sql(kind: Kind) -> str:
    """Merges the table's segments into one."""
    return f"INSERT INTO {_TABLES[kind]} ({_TABLES[kind]}) VALUES ('optimize')"  # noqa: S608 - as above


class Stemmer:
    """The words of a text with the stems that the tables hold of them. May be used from several threads."""

    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        self._lock = threading.Lock()
        self._db.executescript(
            "CREATE VIRTUAL TABLE asked USING fts5(text, tokenize='porter unicode61 remove_diacritics 2');"
            "CREATE VIRTUAL TABLE stems USING fts5vocab(asked, 'instance');"
        )

    def words(self, text: str) -> dict[str, str]:
        """Stem to the word as it stands in `text`, in order, each stem once. Signs are no words."""
        plain = list(dict.fromkeys("".join(c if c.isalnum() else " " for c in text).split()))
        with self._lock:
            self._db.execute("DELETE FROM asked")
            self._db.executemany("INSERT INTO asked (rowid, text) VALUES (?, ?)", enumerate(plain))
            found = self._db.execute("SELECT term, doc FROM stems ORDER BY doc, offset").fetchall()
        stems: dict[str, str] = {}
        for stem, position in found:
            stems.setdefault(stem, plain[position])
        return stems


def query_of(words: dict[str, str], known: dict[str, int]) -> str:
    """An FTS5 query for any of the words (stem to word), the rarest kept while their records are few enough.

    `known` is in how many records each stem stands; words in none are left out. Empty where none is left, or where all
    are too common.
    """
    chosen: list[str] = []
    postings = 0
    for stem in sorted(known, key=lambda stem: (known[stem], stem)):
        postings += known[stem]
        if postings > (MOST_POSTINGS if chosen else MOST_OF_ONE):
            break
        chosen.append(words[stem])
    return " OR ".join(f'"{word}"' for word in chosen)
