"""TIFFs that Pillow does not read, or reads only in part."""

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile

from imaging import ImageError, decode, load

COLOUR = np.stack(np.meshgrid(np.arange(64) * 1000, np.arange(48) * 1300, [7000], indexing="xy"), -1)[:, :, 0, :]


def written(values: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("planes", [False, True])
def test_colours_of_16_bits(bigtiff: bool, planes: bool) -> None:
    values = COLOUR.astype(np.uint16)
    options = {"photometric": "rgb", "planarconfig": "separate" if planes else "contig", "bigtiff": bigtiff}
    loaded = decode(written(np.moveaxis(values, -1, 0) if planes else values, **options), "x.tif")
    assert loaded.pixels.shape == (48, 64, 3)
    assert np.corrcoef(loaded.pixels[..., 0].ravel(), values[..., 0].ravel())[0, 1] > 0.999
    assert np.corrcoef(loaded.pixels[..., 1].ravel(), values[..., 1].ravel())[0, 1] > 0.999
    assert any("scaled to 8 bits" in note for note in loaded.notes)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int32", "float32", "float64"])
def test_grey_of_every_depth(kind: str) -> None:
    values = (np.arange(48 * 64).reshape(48, 64) / 13).astype(kind)
    loaded = decode(written(values, photometric="minisblack"), "x.tif")
    assert loaded.pixels.shape == (48, 64, 3)
    assert np.corrcoef(loaded.pixels[..., 0].ravel(), values.astype(float).ravel())[0, 1] > 0.99


def test_the_channels_of_an_ome_tiff_are_named(tmp_path: Path) -> None:
    values = np.zeros((3, 32, 40), np.uint16)
    values[1, :16] = 900
    file = tmp_path / "cells.ome.tif"
    tifffile.imwrite(file, values, metadata={"axes": "CYX", "Channel": {"Name": ["DAPI", "GFP", "RFP"]}})
    shown = load(f"{file}#frame=2")
    assert shown.acquisition.channels == ("DAPI", "GFP", "RFP")
    assert shown.notes[0] == "frame 2 of 3 (GFP)"
    assert shown.pixels[:16].min() > shown.pixels[16:].max()
    assert load(file).notes[0] == "frame 1 of 3 (DAPI)"


def test_more_samples_than_fit_are_refused_before_they_are_read() -> None:
    data = written(np.zeros((2000, 2000), np.uint8), photometric="minisblack", compression=None, extratags=())
    huge = data.replace((2000).to_bytes(2, "little"), (65_000).to_bytes(2, "little"))
    with pytest.raises(ImageError, match=r"over the limit|damaged image"):
        decode(huge, "x.tif")


@pytest.mark.parametrize("intact", [1, 2])
def test_frames_before_a_break_in_their_list_are_read(intact: int) -> None:
    """Where the list goes on in the middle of the pixels or behind the file's end, what came before it is whole."""
    frames = np.random.default_rng(0).integers(0, 255, (3, 40, 50, 3), dtype=np.uint8)
    data = written(frames, photometric="rgb")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        links = [page.offset + 2 + 12 * len(page.tags) for page in file.pages]
    for elsewhere in (len(data) // 2 + 7, len(data) + 999):
        broken = bytearray(data)
        broken[links[intact - 1] : links[intact - 1] + 4] = elsewhere.to_bytes(4, "little")
        loaded = decode(bytes(broken), f"x.tif#frame={intact}", intact)
        assert np.array_equal(loaded.pixels, frames[intact - 1])
        assert f"the list of frames breaks off behind {intact}" in loaded.notes
        with pytest.raises(ImageError, match=f"no frame {intact + 1}; it has {intact}"):
            decode(bytes(broken), "x.tif", intact + 1)
