"""Where the model looks: what is covered, what it costs, and how it is shown."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaging import LoadedImage
from rag import Pipeline, open_pipeline
from rag.config import resolve
from rag.errors import RequestError
from rag.looking import CIVIDIS, LONGEST_READ, Heat, boxes, covered, occluding, occlusion, showing
from rag.types import PreparedRequest, Request
from tests.vlm import tiny
from tests.vlm.conftest import picture
from vlm import vision
from vlm.errors import PromptError, UnsupportedByServer
from vlm.types import Prompt

TEXT = "A smear of blood."


class SeesOneSpot:
    """An engine to whom a text is as likely as the pixel at `spot` (shares of width and height) is bright."""

    def __init__(self, across: float, down: float) -> None:
        self.across, self.down = across, down
        self.asked: list[Prompt] = []

    def logprob(self, prompts: Sequence[Prompt], text: str, begun: str = "") -> Iterator[tuple[int, float]]:
        self.said = (begun, text)
        for position, prompt in reversed(list(enumerate(prompts))):
            self.asked.append(prompt)
            seen = prompt.images[0].picture.convert("L")
            brightness = seen.getpixel((int(self.across * seen.width), int(self.down * seen.height)))
            assert isinstance(brightness, int | float)
            yield position, brightness / 255 - 3


def made(pixels: np.ndarray) -> LoadedImage:
    return LoadedImage("made", Image.fromarray(pixels.astype(np.uint8)), sha256="0" * 64, phash="0" * 16)


def spotted(across: float, down: float, width: int = 90, height: int = 60) -> LoadedImage:
    """A dark image with a bright spot of a tenth of its sides."""
    pixels = np.zeros((height, width, 3))
    x, y = int(across * width), int(down * height)
    pixels[max(0, y - 3) : y + 3, max(0, x - 4) : x + 4] = 255
    return made(pixels)


@pytest.fixture(scope="module")
def tiny_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A pipeline with a tiny model of random weights and without evidence."""
    folder = tmp_path_factory.mktemp("model")
    tiny.make_fastvlm(folder / "fastvlm")
    about = "family: fastvlm\npath: fastvlm\nprompt_tokens: 200\ncaption_prompt: zero_shot\nlicense: MIT\n"
    (folder / "tiny.yaml").write_text(about + "parameters: 1000\n")
    told = [f"model.name={folder / 'tiny.yaml'}", "retrieval.enabled=false", "batch_size=4"]
    return open_pipeline(resolve(assignments=told), [Request("a", ("a",)), Request("b", ("b",), "ask", "Why?")])


def prepared(pipeline: Pipeline, *images: LoadedImage) -> PreparedRequest:
    (item,) = pipeline.prepare([Request("x", images, "ask", "What differs?")]).items
    return item


def with_engine(pipeline: Pipeline, engine: object) -> Pipeline:
    speaker = replace(pipeline.speaker, engine=engine)  # type: ignore[arg-type]
    return Pipeline(pipeline.settings, speaker, pipeline.templates, pipeline.retriever, pipeline.checking)


@pytest.mark.parametrize(
    ("across", "down", "place"),
    [(0.1, 0.1, "upper left"), (0.5, 0.5, "centre"), (0.9, 0.5, "right"), (0.5, 0.9, "lower")],
)
def test_the_hottest_patch_is_what_the_text_rests_on(
    tiny_pipeline: Pipeline, across: float, down: float, place: str
) -> None:
    image = spotted(across, down)
    pipeline = with_engine(tiny_pipeline, SeesOneSpot(across, down))
    heat = occlusion(pipeline, prepared(tiny_pipeline, image), TEXT)
    assert (heat.patches.shape, heat.patches.dtype, heat.text) == ((7, 7), np.float32, TEXT)
    assert heat.place == place
    assert heat.logprob == pytest.approx(-2.0)
    assert heat.whole == pytest.approx(1.0, abs=0.05)
    row, column = int(down * 7), int(across * 7)
    hidden_always = heat.patches[row, column]
    assert hidden_always == pytest.approx(heat.whole), "every window over the spot hides it"
    assert heat.patches.max() == hidden_always
    far = heat.patches[6 - row if row != 3 else 0, 6 - column if column != 3 else 0]
    assert far == pytest.approx(0, abs=0.01)


def test_each_patch_has_the_mean_of_the_windows_over_it(tiny_pipeline: Pipeline) -> None:
    item = prepared(tiny_pipeline, picture(1))
    engine = tiny_pipeline.speaker.engine
    *steps, heat = occluding(tiny_pipeline, item, TEXT, grid=3, window=2)
    assert isinstance(heat, Heat)
    assert steps == [4 / 6, 1.0]
    shown = item.images[0]
    alone: dict[tuple[int, int], float] = {}
    for row, column in np.ndindex(2, 2):
        cells = np.zeros((3, 3), bool)
        cells[row : row + 2, column : column + 2] = True
        other = showing(item.prompt.prompt, shown, covered(shown, cells))
        ((_, alone[row, column]),) = engine.logprob([other], TEXT)
    ((_, seen),) = engine.logprob([item.prompt.prompt], TEXT)
    assert heat.logprob == pytest.approx(seen, rel=1e-4)
    assert len({round(logprob, 4) for logprob in alone.values()}) > 1, "covering must matter for this to show anything"
    assert heat.patches[0, 0] == pytest.approx(seen - alone[0, 0], abs=1e-3)
    assert heat.patches[0, 1] == pytest.approx(seen - (alone[0, 0] + alone[0, 1]) / 2, abs=1e-3)
    assert heat.patches[1, 1] == pytest.approx(seen - sum(alone.values()) / 4, abs=1e-3)


def test_the_covered_boxes_have_the_mean_colour_and_the_rest_its_pixels() -> None:
    image = picture(3)
    cells = np.zeros((4, 4), bool)
    cells[1, 2] = True
    left, upper, right, lower = boxes(image.width, image.height, 4)[6]
    other = covered(image, cells)
    mean = image.pixels.mean(axis=(0, 1)).round()
    changed = (other.pixels != image.pixels).any(axis=2)
    inside = np.zeros_like(changed)
    inside[upper:lower, left:right] = True
    assert (other.pixels[inside] == mean).all()
    assert changed[inside].mean() > 0.9
    assert not changed[~inside].any()
    assert other is not image


@pytest.mark.parametrize(("width", "height", "grid"), [(100, 70, 7), (3, 2, 7), (7, 7, 7), (640, 1, 5)])
def test_the_boxes_are_all_of_the_image_and_do_not_overlap(width: int, height: int, grid: int) -> None:
    hits = np.zeros((height, width), int)
    for left, upper, right, lower in boxes(width, height, grid):
        hits[upper:lower, left:right] += 1
    assert len(boxes(width, height, grid)) == grid * grid
    assert (hits == 1).all()


def test_only_the_image_asked_about_is_covered(tiny_pipeline: Pipeline) -> None:
    item = prepared(tiny_pipeline, picture(1), picture(2))
    engine = SeesOneSpot(0.5, 0.5)
    *_, heat = occluding(with_engine(tiny_pipeline, engine), item, TEXT, grid=2, image=1, window=1, begun="It is. ")
    assert isinstance(heat, Heat)
    assert engine.said == ("It is. ", TEXT)
    for prompt in engine.asked:
        first, second = prompt.images
        assert first is item.images[0]
        assert second is not item.images[1]
    assert heat.patches == pytest.approx(np.zeros((2, 2)))
    with pytest.raises(RequestError, match="x: no image number 3 to look at, there are 2"):
        next(occluding(tiny_pipeline, item, TEXT, image=2))


def test_a_window_larger_than_the_grid_is_refused(tiny_pipeline: Pipeline) -> None:
    with pytest.raises(RequestError, match="a window of 3 x 3 patches in a grid of 2 x 2"):
        occlusion(tiny_pipeline, prepared(tiny_pipeline, picture(1)), TEXT, grid=2)


def test_a_large_image_is_read_smaller_and_an_oblong_one_keeps_its_shape(tiny_pipeline: Pipeline) -> None:
    engine = SeesOneSpot(0.5, 0.5)
    item = prepared(tiny_pipeline, made(np.full((300, 3 * LONGEST_READ, 3), 90)))
    occlusion(with_engine(tiny_pipeline, engine), item, TEXT, grid=3)
    assert {prompt.images[0].picture.size for prompt in engine.asked} == {(LONGEST_READ, 100)}


def test_closing_it_scores_no_more(tiny_pipeline: Pipeline) -> None:
    engine = SeesOneSpot(0.5, 0.5)
    steps = occluding(with_engine(tiny_pipeline, engine), prepared(tiny_pipeline, picture(1)), TEXT)
    assert next(steps) == pytest.approx(4 / 27)
    steps.close()
    assert len(engine.asked) == 4


def test_what_cannot_be_scored_is_said(tiny_pipeline: Pipeline) -> None:
    class OfAServer(SeesOneSpot):
        def logprob(self, *_: object) -> Generator[tuple[int, float], None, None]:  # type: ignore[override]
            raise UnsupportedByServer("a server does not say")

    item = prepared(tiny_pipeline, picture(1))
    with pytest.raises(PromptError, match="no token"):
        occlusion(tiny_pipeline, item, " ")
    with pytest.raises(UnsupportedByServer):
        occlusion(with_engine(tiny_pipeline, OfAServer(0, 0)), item, TEXT)


def shown(heat: Heat, image: LoadedImage) -> np.ndarray:
    with Image.open(io.BytesIO(heat.png(image))) as overlay:
        assert (overlay.format, overlay.mode, overlay.info) == ("PNG", "RGB", {})
        return np.array(overlay)


def test_the_overlay_is_yellow_where_it_is_hottest_and_blue_where_nothing_is_lost() -> None:
    patches = np.float32([[0, 0, 0], [0, 2, 1], [-5, 0, 0]])
    image = made(np.full((90, 120, 3), 128))
    overlay = shown(Heat(patches, 2.0, -1.0, TEXT), image).astype(int)
    assert overlay.shape == (90, 120, 3)
    hot, warm, cold, below = overlay[45, 60], overlay[45, 110], overlay[10, 10], overlay[80, 10]
    assert hot[0] > hot[2] + 50, "yellow"
    assert cold[2] > cold[0] + 30, "blue"
    assert (below == cold).all()
    assert cold.sum() < warm.sum() < hot.sum()
    assert (overlay[30:60, 40:80] == hot).all()


def test_a_map_of_nothing_is_all_of_one_colour_and_nowhere() -> None:
    heat = Heat(np.float32([[0, -1], [-2, 0]]), 0.0, -1.0, TEXT)
    overlay = shown(heat, made(np.full((40, 40, 3), 128)))
    assert heat.place == "nowhere"
    assert (overlay == overlay[0, 0]).all()


def test_next_to_nothing_is_not_shown_as_if_it_were_much() -> None:
    image = made(np.full((40, 40, 3), 128))
    slight, much = (Heat(np.float32([[0, hottest], [0, 0]]), 1.0, -1.0, TEXT) for hottest in (0.001, 1.0))
    assert (slight.place, much.place) == ("nowhere", "upper right")
    blue, faint = shown(slight, image)[0, [0, 30]].astype(int)
    yellow = shown(much, image)[0, 30].astype(int)
    assert abs(faint - blue).max() <= 3
    assert (yellow - blue).max() > 100


def test_a_large_images_overlay_is_of_a_size_for_a_screen() -> None:
    overlay = shown(Heat(np.eye(7, dtype=np.float32), 1.0, -1.0, TEXT), made(np.zeros((500, 3000, 3))))
    assert overlay.shape == (171, 1024, 3)


def test_the_colours_are_those_of_cividis() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    theirs = [matplotlib.colormaps["cividis"](stop / 8)[:3] for stop in range(9)]
    assert np.array(CIVIDIS) == pytest.approx(np.array(theirs) * 255, abs=0.51)


@pytest.mark.parametrize(("bf16", "least"), [(True, 0.3), (False, 0.1)])
def test_pocket_rests_on_the_image_of_the_demo(
    bf16: bool, least: float, open_with: Callable[..., Pipeline], demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In both precisions that its tower computes in, according to the machine."""
    monkeypatch.setattr(vision, "natively_bf16", lambda _: bf16)
    pipeline = open_with("prompt.template=few_shot_passages")
    (item,) = pipeline.prepare([Request("x", (str(demo / "smear.png"),))]).items
    right = occlusion(pipeline, item, "Blood smear, light microscopy.", grid=3)
    wrong = occlusion(pipeline, item, "Axial CT of the chest.", grid=3)
    assert right.logprob > wrong.logprob + 5
    assert right.whole > least
    assert wrong.whole < 0, "without the image another text is likelier than with it"
