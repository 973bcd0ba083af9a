"""Any image file becomes upright 8-bit RGB, or one line that says why not."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imaging import ImageError, decode, load, thumbnail
from imaging.scale import scale_to_uint8


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def ramp() -> Image.Image:
    """80 x 60, red grows to the right, green downwards."""
    across, down = np.meshgrid(np.arange(80) * 3, np.arange(60) * 4)
    return Image.fromarray(np.dstack([across, down, np.full_like(across, 40)]).astype(np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "JPEG", "WEBP"])
def test_each_format_gives_the_same_picture(ramp: Image.Image, kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    loaded = decode(encoded(ramp, kind, **options), "x")
    assert loaded.pixels.shape == (60, 80, 3)
    assert loaded.pixels.dtype == np.uint8
    allowed = {"JPEG": 6, "GIF": 12}.get(kind, 0)
    assert np.abs(loaded.pixels.astype(int) - np.asarray(ramp).astype(int)).mean() <= allowed


def test_palette_and_cmyk_keep_their_colours(ramp: Image.Image) -> None:
    palette = decode(encoded(ramp.convert("P", palette=Image.Palette.ADAPTIVE)), "x").pixels
    cmyk = decode(encoded(ramp.convert("CMYK"), "TIFF"), "x").pixels
    for pixels, allowed in ((palette, 8), (cmyk, 2)):
        assert np.abs(pixels.astype(int) - np.asarray(ramp).astype(int)).mean() < allowed


def test_transparency_is_laid_over_white(ramp: Image.Image) -> None:
    clear = ramp.convert("RGBA")
    clear.putalpha(0)
    loaded = decode(encoded(clear), "x")
    assert (loaded.pixels == 255).all()
    assert loaded.notes == ("transparency laid over white",)


def test_a_rotated_photo_is_set_upright(ramp: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    assert decode(encoded(ramp, "JPEG", exif=exif), "x").pixels.shape == (80, 60, 3)


def test_the_first_frame_of_an_animation_is_taken_and_said(ramp: Image.Image) -> None:
    data = encoded(ramp, "GIF", save_all=True, append_images=[Image.new("RGB", ramp.size, "black")])
    loaded = decode(data, "x")
    assert loaded.notes == ("frame 1 of 2",)
    assert loaded.pixels.mean() > 50


def test_a_frame_can_be_named_behind_the_file(ramp: Image.Image, tmp_path: Path) -> None:
    file = tmp_path / "two.gif"
    file.write_bytes(encoded(ramp, "GIF", save_all=True, append_images=[Image.new("RGB", ramp.size, "black")]))
    first, second = load(f"{file}#frame=1"), load(f"{file}#frame=2")
    assert second.notes == ("frame 2 of 2",)
    assert first.pixels.mean() > 50 > second.pixels.mean()
    assert len({first.sha256, second.sha256, load(file).sha256}) == 3
    for wrong in (0, 3):
        with pytest.raises(ImageError, match=f"has no frame {wrong}; it has 2"):
            load(f"{file}#frame={wrong}")


@pytest.mark.parametrize("low", [0, 30_000])
def test_16_bit_values_are_scaled_not_cut(low: int) -> None:
    values = (low + np.linspace(0, 4000, 64 * 64)).reshape(64, 64).astype(np.uint16)
    loaded = decode(encoded(Image.fromarray(values)), "x")
    assert loaded.pixels.min() == 0
    assert loaded.pixels.max() == 255
    assert np.unique(loaded.pixels).size > 200
    assert "scaled to 8 bits" in loaded.notes[0]


def test_float_values_survive_nan_and_infinity() -> None:
    values = np.linspace(-1, 1, 100, dtype=np.float32).reshape(10, 10)
    values[0, 0], values[0, 1] = np.nan, np.inf
    scaled = scale_to_uint8(values)
    assert scaled[0, 0] == 0
    assert scaled[0, 1] == 255
    assert (scale_to_uint8(np.full((4, 4), np.nan, np.float32)) == 0).all()


BAD = {
    "empty": (b"", "the file is empty"),
    "text": (b"hello, this is no image" * 20, "not an image in a format read here"),
    "dicom": (b"\0" * 128 + b"DICM" + b"\0" * 64, "damaged DICOM|without an image"),
    "a PNG without width": (
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes([0, 0, 0, 0, 0, 0, 0, 5, 8, 2, 0, 0, 0]) + b"\xc2\x1f\xe7\x02",
        "damaged image: begins as a PNG, but its header is cut off or says that it has no pixels",
    ),
    "a JPEG of its first bytes": (b"\xff\xd8\xff\xe0", "damaged image: begins as a JPEG"),
    "gzip": (b"\x1f\x8b" + b"\0" * 64, "not an image in a format read here"),
}


@pytest.mark.parametrize(("data", "reason"), BAD.values(), ids=BAD.keys())
def test_what_is_no_image_is_said_in_one_line(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason) as caught:
        decode(data, "scan.png")
    assert str(caught.value).startswith("scan.png: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF", "WEBP"])
def test_a_truncated_image_is_an_error_and_never_half_a_picture(kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8))
    data = encoded(noise, kind)
    with pytest.raises(ImageError, match=r"x\.png: (damaged image|not an image)"):
        decode(data[: len(data) // 2], "x.png")


def test_a_huge_image_is_refused_by_its_header() -> None:
    data = encoded(Image.new("1", (20_000, 10_000)))
    with pytest.raises(ImageError, match="20000 x 10000 is over the limit of 100 million pixels"):
        decode(data, "x")


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        load(tmp_path / "none.png")
    with pytest.raises(ImageError, match="is a folder"):
        load(tmp_path)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_damage_escapes_as_another_error(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"]))
    raw = bytearray(encoded(Image.fromarray(np.arange(3 * 16 * 16, dtype=np.uint8).reshape(16, 16, 3)), kind))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ImageError):
        assert decode(bytes(raw), "x").pixels.ndim == 3


def test_hashes_follow_the_bytes_and_the_picture() -> None:
    photo, other = (Image.fromarray(skimage.data.chelsea()), Image.fromarray(skimage.data.coffee()))
    png, jpeg, another = (decode(encoded(photo), "x"), decode(encoded(photo, "JPEG"), "x"), decode(encoded(other), "x"))
    assert png.sha256 != jpeg.sha256
    assert (int(png.phash, 16) ^ int(jpeg.phash, 16)).bit_count() <= 4
    assert (int(png.phash, 16) ^ int(another.phash, 16)).bit_count() > 12


def test_a_thumbnail_keeps_the_proportions(ramp: Image.Image) -> None:
    with Image.open(io.BytesIO(thumbnail(ramp, 40))) as small:
        assert small.size == (40, 30)
