"""A search of arXiv: feeds as its API gives them.

They have the layout of those recorded in April 2026 by the `arxiv` package's own tests
(https://github.com/lukasschwab/arxiv.py/tree/72f11b71d8560e9cd3243ffa1dfdb6f4134d32cf/tests/fixtures, e.g.
q_testing_s10_m10_34e56e15aaac.json; the empty one id_0000.0000_s0_m100_8b51d9633a68.json and the refusal
id_abc_s0_m100_b79c8dcf6bc3.json at 641618d48388f1b67b07e05f45163ca7a22cd8fc), `<arxiv:doi>` and
`<arxiv:journal_ref>` as in section 3.3.2.4 of https://info.arxiv.org/help/api/user-manual.html
"""

from __future__ import annotations

from xml.sax.saxutils import escape

from tests.web_server import Answer, Asked

ATOM = "application/atom+xml; charset=utf-8"


def entry(id_: str, *, summary: str = "We look at lungs.", extra: str = "", year: int = 2021, title: str = "") -> str:
    return f"""  <entry>
    <id>http://arxiv.org/abs/{id_}</id>
    <title>{escape(title or f"On {id_}")}</title>
    <updated>{year}-05-24T05:50:33Z</updated>
    <link href="https://arxiv.org/abs/{id_}" rel="alternate" type="text/html"/>
    <link href="https://arxiv.org/pdf/{id_}" rel="related" type="application/pdf" title="pdf"/>
    <summary>{escape(summary)}</summary>
    <category term="eess.IV" scheme="http://arxiv.org/schemas/atom"/>
    <published>{year}-03-25T17:42:32Z</published>
    {extra}
    <arxiv:primary_category term="eess.IV"/>
    <author>
      <name>Ada Lovelace</name>
    </author>
    <author>
      <name>Bo Chén</name>
      <arxiv:affiliation>Somewhere</arxiv:affiliation>
    </author>
  </entry>
"""


def feed(entries: list[str], total: int, start: int = 0) -> Answer:
    text = f"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">
  <id>https://arxiv.org/api/MKOJ+ORVu4SuYinV8INxq9Rx3SA</id>
  <title>arXiv Query: search_query=all:lung&amp;id_list=&amp;start={start}&amp;max_results=10</title>
  <updated>2026-04-12T22:09:40Z</updated>
  <link href="https://arxiv.org/api/query?search_query=all:lung&amp;start={start}" type="application/atom+xml"/>
  <opensearch:itemsPerPage>{len(entries)}</opensearch:itemsPerPage>
  <opensearch:totalResults>{total}</opensearch:totalResults>
  <opensearch:startIndex>{start}</opensearch:startIndex>
{"".join(entries)}</feed>
"""
    return Answer(text.encode(), 200, ATOM)


REFUSAL = b"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns="http://www.w3.org/2005/Atom">
  <id>https://arxiv.org/</id>
  <title>arXiv Search Results</title>
  <updated>2026-04-12T22:59:06Z</updated>
  <opensearch:totalResults>1</opensearch:totalResults>
  <entry>
    <id>https://arxiv.org/api/errors#incorrect_id_format_for_abc</id>
    <title>Error</title>
    <updated>2026-04-12T22:59:06Z</updated>
    <summary>incorrect id format for abc</summary>
    <author><name>arXiv api core</name></author>
  </entry>
</feed>
"""


class Papers:
    """A search of arXiv that finds `entries`, served by its `start` and `max_results`."""

    def __init__(self, *entries: str) -> None:
        self.entries = list(entries)

    def __call__(self, asked: Asked) -> Answer:
        start, size = int(asked.fields["start"]), int(asked.fields["max_results"])
        return feed(self.entries[start : start + size], len(self.entries), start)
