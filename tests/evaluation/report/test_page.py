"""The page as whoever opens, prints or listens to it finds it."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag
from made_results import ATTACK, NAMES

from evaluation.charts import Intervals, Mark
from evaluation.report.data import to_json
from evaluation.report.document import Blank, Column, Document, Group, Line, Plot, Section, Table
from evaluation.report.html import MOST_COLUMNS, parts, to_html
from evaluation.report.kinds import document_of
from evaluation.report.writing import write
from evaluation.statistics.intervals import Estimate

ROOT = Path(__file__).parents[3]
MINUS = "\N{MINUS SIGN}"
KINDS = ["run", "experiment"]
ALL = [*KINDS, "batch"]


@pytest.fixture
def results(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(request.param)
    return path


def page_of(path: Path, data: bool = True) -> BeautifulSoup:
    return BeautifulSoup(to_html(document_of(path, data)), "html.parser")


@pytest.mark.parametrize("results", ALL, indirect=True)
def test_nothing_is_loaded_from_elsewhere(results: Path) -> None:
    html = to_html(document_of(results))
    page = BeautifulSoup(html, "html.parser")
    assert page.find("h1") is not None
    assert not page.find_all(["script", "link", "iframe", "object", "base"])
    assert not re.search(r"@import|url\(", html)
    for tag in page.find_all(src=True):
        assert str(tag["src"]).startswith("data:image/jpeg;base64,")
    assert page.find_all("img")
    for link in page.find_all(href=True):
        assert str(link["href"]).startswith("#")
        assert page.find(id=str(link["href"])[1:]) is not None, link
    assert not [name for tag in page.find_all(True) for name in tag.attrs if name.startswith("on")]


@pytest.mark.parametrize("results", ALL, indirect=True)
def test_it_has_landmarks_headings_in_order_and_tables_with_heads(results: Path) -> None:
    page = page_of(results)
    assert page.html is not None
    assert page.html["lang"] == "en"
    for landmark in ("header", "nav", "main", "footer"):
        assert len(page.find_all(landmark)) >= 1
    levels = [int(heading.name[1]) for heading in page.find_all(re.compile("^h[1-6]$"))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    tables = page.find_all("table")
    assert tables
    for table in tables:
        assert table.caption is not None
        assert table.caption.text.strip()
        assert table.thead is not None
        columns = len(table.thead.find_all("th", scope="col"))
        for row in table.select("tbody tr"):
            assert row.find("th", scope=re.compile("^row")) is not None
            assert sum(int(str(cell.get("colspan", 1))) for cell in row.find_all(["th", "td"])) == columns
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("results", ALL, indirect=True)
def test_pictures_and_plots_say_what_they_show(results: Path) -> None:
    page = page_of(results)
    plots = page.find_all("svg")
    assert plots
    for plot in plots:
        assert plot["role"] == "img"
        assert plot.title is not None
        assert plot.title.text
        assert re.search(r"\d", plot.desc.text)
    assert len(page.select("svg.wide")) == len(page.select("svg.narrow")) == len(plots) / 2
    assert all(str(image["alt"]).startswith("Image r") for image in page.find_all("img"))


@pytest.mark.parametrize("results", KINDS, indirect=True)
def test_numbers_of_the_page_are_those_of_the_json(results: Path) -> None:
    document = document_of(results)
    page = BeautifulSoup(to_html(document), "html.parser")
    data = json.loads(write(document, "json"))
    expected = {}
    for section in data["sections"]:
        for block in section["blocks"]:
            for row in block.get("rows", []) if "table" in block else []:
                for title, cell in row["cells"].items():
                    value = cell.get("value") if isinstance(cell, dict) else cell
                    if isinstance(value, int | float) and not isinstance(value, bool):
                        expected[block["table"], row["name"], title] = value
    found = {}
    for table in page.find_all("table"):
        heads = [head.text for head in table.thead.find_all("th")][1:]
        caption = re.sub(r" \(\d of \d\)$", "", table.caption.text)
        for row in table.select("tbody tr"):
            for head, cell in zip(heads, row.find_all("td"), strict=False):
                if cell.get("data-value") is not None:
                    found[caption, row.th.text, head] = float(cell["data-value"])
                    assert shown(cell) == pytest.approx(float(cell["data-value"]), abs=6e-3)
    assert len(found) > 10
    assert found == expected


def shown(cell: Tag) -> float:
    """The figure as it is printed."""
    printed = re.match(rf"[<\s]*([{MINUS}\d.,]+(?:e-\d+)?)", str(cell.contents[0]).replace("&lt;", "<").strip())
    assert printed is not None, cell
    return float(printed[1].replace(",", "").replace(MINUS, "-"))


def test_texts_of_models_and_data_are_no_markup(experiment: Path) -> None:
    html = to_html(document_of(experiment))
    assert ATTACK not in html
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    page = BeautifulSoup(html, "html.parser")
    assert ATTACK in page.get_text()
    assert "提示" in page.get_text()
    assert NAMES[1] in page.get_text()
    assert all(said["dir"] == "auto" for said in page.select(".said p:not(.warning), blockquote"))


@pytest.mark.parametrize("results", KINDS, indirect=True)
@pytest.mark.parametrize("form", ["html", "md", "json"])
def test_without_images_nothing_of_the_data_is_in_it(results: Path, form: str) -> None:
    whole, shared = (write(document_of(results, data), form) for data in (True, False))
    texts = ["A neighbour", "caption. ", "no such file", "Axial CT of the chest", "胸部", "alert"]
    assert sum(text in whole for text in texts) >= 2
    assert not [text for text in texts if text in shared]
    assert ".png" in whole
    assert not re.findall(r"\w+\.(?:png|dcm)\b", shared)
    assert "base64" not in shared
    assert "r3" in shared
    assert "was made to be shared" in shared


def test_an_image_that_is_gone_is_said_to_be(run: Path) -> None:
    for file in (run.parent / "pictures").iterdir():
        file.unlink()
    page = page_of(run)
    assert not page.find_all("img")
    assert "no such file" in page.select(".missing")[0].text


def test_a_wide_table_is_shown_in_parts_that_fit_on_paper() -> None:
    columns = [Column(f"metric {number}") for number in range(2 * MOST_COLUMNS + 1)]
    line = Line("arm", [Estimate(float(number)) for number in range(len(columns))])
    several = list(parts(Table("Figures", "arm", columns, [Group([line])])))
    assert [part.caption for part in several] == ["Figures (1 of 3)", "Figures (2 of 3)", "Figures (3 of 3)"]
    assert [c for part in several for c in part.columns] == columns
    assert [v for part in several for group in part.groups for one in group.lines for v in one.cells] == line.cells
    assert max(len(part.columns) for part in several) <= MOST_COLUMNS


def test_a_blank_says_why() -> None:
    table = Table(
        "T", "metric", [Column("run"), Column("foil")], [Group([Line("BLEURT", [Blank("no model"), Blank()])])]
    )
    document = Document("run", "T", "", ["S."], [Section("Scores", [table])], {}, {"BLEURT": "no model"})
    page = BeautifulSoup(to_html(document), "html.parser")
    assert page.select("td.blank")[0].text == "not measured: no model"
    assert page.select("td.blank")[0]["colspan"] == "2"
    assert to_json(document)["sections"][0]["blocks"][0]["rows"][0]["cells"]["run"] == {"blank": "no model"}
    assert "not measured: no model" in write(document, "md")


def test_nothing_opens_an_address_in_the_recipe(run: Path) -> None:
    for form in ("html", "md", "json"):
        text = write(document_of(run), form)
        assert "secret" not in text
        assert "example.org/index" in text


def test_only_links_within_and_no_colour_carries_meaning() -> None:
    """Greys alone: what is printed in black and white is the same page."""
    style = (ROOT / "evaluation/pages/style.css").read_text(encoding="utf-8")
    for red, green, blue in re.findall(r"#([0-9a-f])([0-9a-f])([0-9a-f])\b", style):
        assert red == green == blue
    assert "@media print" in style


def test_a_figure_that_is_no_number_is_not_drawn_and_null_in_json() -> None:
    nothing = float("nan")
    marks = [Mark("a", Estimate(0.5, 0.4, 0.6)), Mark("b", Estimate(nothing, nothing, nothing)),
             Mark("c", Estimate(0.2, nothing, 0.3))]  # fmt: skip
    document = Document("run", "t", "", [], [Section("s", [Plot("p", Intervals(marks, "x"))])], {"loss": nothing})
    data = json.loads(write(document, "json"), parse_constant=pytest.fail)
    assert data["sections"][0]["blocks"][0]["marks"][1] == {"name": "b", "value": None, "low": None, "high": None}
    assert data["recipe"] == {"loss": None}
    svg = BeautifulSoup(write(document, "html"), "html.parser").select("svg.wide")[0]
    assert "nan" not in str(svg)
    assert "b not measured; c 0.200" in svg.desc.text
