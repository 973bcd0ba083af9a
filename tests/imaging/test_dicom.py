"""DICOM as pydicom's own sample files have it, shown by their rescale, window and photometry."""

import io
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_windowing

from imaging import ImageError, LoadedImage, decode, load

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
NO_IMAGE = {
    "reportsi.dcm", "reportsi_with_empty_number_tags.dcm", "rtplan.dcm", "rtplan_truncated.dcm", "rtstruct.dcm",
    "test-SR.dcm", "waveform_ecg.dcm", "no_meta_group_length.dcm", "no_meta.dcm", "meta_missing_tsyntax.dcm",
    "priv_SQ.dcm", "nested_priv_SQ.dcm", "UN_sequence.dcm", "badVR.dcm", "empty_charset_LEI.dcm",
    "ExplVR_BigEndNoMeta.dcm", "ExplVR_LitEndNoMeta.dcm",
}  # fmt: skip
"""Reports, plans and files of a few elements."""
DAMAGED = {"MR_truncated.dcm", "JPEG2000-embedded-sequence-delimiter.dcm"}
TWELVE_BITS = {"JPEG-lossy.dcm", "JPGExtended.dcm"}
"""JPEG Extended of 12 bits: only libjpeg's plugin reads it, and that is under the GPL."""
PLUGINS = pytest.mark.skipif(
    not all(pydicom.pixels.get_decoder(uid).is_available for uid in
            (pydicom.uid.JPEGLSLossless, pydicom.uid.JPEG2000Lossless)),
    reason="needs the extra 'dicom'",
)  # fmt: skip


def changed(name: str, change: Callable[[Dataset], None]) -> bytes:
    dataset = pydicom.dcmread(FILES / name)
    change(dataset)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def shown(name: str, change: Callable[[Dataset], None] = lambda _: None) -> LoadedImage:
    return decode(changed(name, change), name)


@PLUGINS
@pytest.mark.parametrize("file", sorted(FILES.glob("*.dcm")), ids=lambda file: file.name)
def test_every_sample_is_a_picture_or_one_line(file: Path) -> None:
    if file.name in NO_IMAGE | DAMAGED | TWELVE_BITS:
        with pytest.raises(ImageError, match=r"without an image|damaged|not an image") as caught:
            load(file)
        assert "\n" not in str(caught.value)
        return
    loaded = load(file)
    assert loaded.pixels.dtype == np.uint8
    assert loaded.pixels.shape[2] == 3
    assert loaded.pixels.max() > loaded.pixels.min()


@PLUGINS
@pytest.mark.parametrize("packed", ["MR_small_RLE", "MR_small_jpeg_ls_lossless", "MR_small_jp2klossless"])
def test_packed_pixels_are_the_plain_ones(packed: str) -> None:
    assert np.array_equal(load(FILES / f"{packed}.dcm").pixels, load(FILES / "MR_small.dcm").pixels)


def test_a_window_is_applied_as_pydicom_applies_it() -> None:
    for function in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):

        def window(dataset: Dataset, function: str = function) -> None:
            dataset.WindowCenter, dataset.WindowWidth, dataset.VOILUTFunction = 40, 400, function

        dataset = pydicom.dcmread(FILES / "CT_small.dcm")
        window(dataset)
        by_pydicom = apply_windowing(apply_modality_lut(dataset.pixel_array, dataset), dataset).astype(float)
        # pydicom's ends are those of the stored bits after rescale
        low, high = by_pydicom.min(), by_pydicom.max()
        ours = shown("CT_small.dcm", window).pixels[..., 0].astype(float)
        expected = (by_pydicom - low) / (high - low) * (ours.max() - ours.min()) + ours.min()
        assert np.abs(ours - expected).max() <= 1.01, function


def test_the_standards_own_example_of_a_window() -> None:
    """PS3.3 C.11.2.1.2.1: center 2048, width 4096 maps 0 and below to black, 4095 and above to white."""

    def whole(dataset: Dataset) -> None:
        dataset.WindowCenter, dataset.WindowWidth = [2048, 5], [4096, 1]
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
        values = dataset.pixel_array.copy()
        values[0, :4] = (0, 4095, 2047, 2048)
        dataset.PixelData = values.tobytes()

    assert shown("CT_small.dcm", whole).pixels[0, :4, 0].tolist() == [0, 255, 127, 128]


def test_monochrome1_is_inverted() -> None:
    def inverted(dataset: Dataset) -> None:
        dataset.PhotometricInterpretation = "MONOCHROME1"

    assert np.array_equal(shown("MR_small.dcm", inverted).pixels, 255 - shown("MR_small.dcm").pixels)


def test_padding_does_not_spoil_the_scale() -> None:
    def padded(dataset: Dataset) -> None:
        values = dataset.pixel_array.copy()
        values[:20] = -2000
        dataset.PixelData = values.tobytes()
        dataset.PixelPaddingValue = -2000

    plain, loaded = shown("CT_small.dcm"), shown("CT_small.dcm", padded)
    assert (loaded.pixels[:20] == 0).all()
    assert abs(loaded.pixels[40:].astype(int) - plain.pixels[40:]).mean() < 12
    assert "no window in the file" in loaded.notes[0]


def test_frames_are_counted_from_one() -> None:
    file = FILES / "SC_rgb_rle_2frame.dcm"
    first, second = load(file), load(f"{file}#frame=2")
    assert first.notes == ("frame 1 of 2",)
    assert not np.array_equal(first.pixels, second.pixels)
    with pytest.raises(ImageError, match="has no frame 3; it has 2"):
        load(f"{file}#frame=3")


def test_an_enhanced_files_frames_have_their_own_windows() -> None:
    def enhanced(dataset: Dataset) -> None:
        dataset.PixelData, dataset.NumberOfFrames = dataset.PixelData * 2, 2
        for keyword in ("WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept", "PixelSpacing"):
            if keyword in dataset:
                del dataset[keyword]
        dataset.PerFrameFunctionalGroupsSequence = []
        for center in (400, 1500):
            group, window = Dataset(), Dataset()
            window.WindowCenter, window.WindowWidth = center, 800
            group.FrameVOILUTSequence = [window]
            dataset.PerFrameFunctionalGroupsSequence.append(group)
        shared, measures, rescale = Dataset(), Dataset(), Dataset()
        measures.PixelSpacing, rescale.RescaleSlope, rescale.RescaleIntercept = [0.5, 0.25], 2, 0
        shared.PixelMeasuresSequence, shared.PixelValueTransformationSequence = [measures], [rescale]
        dataset.SharedFunctionalGroupsSequence = [shared]

    data = changed("MR_small.dcm", enhanced)
    first, second = decode(data, "x.dcm"), decode(data, "x.dcm", frame=2)
    values = pydicom.dcmread(FILES / "MR_small.dcm").pixel_array * 2.0
    expected = np.clip((values - (400 - 0.5 - 399.5)) / 799, 0, 1) * 255
    assert np.abs(first.pixels[..., 0] - expected).max() <= 0.51
    assert first.pixels.mean() > second.pixels.mean()
    assert first.acquisition.spacing_mm == (0.5, 0.25)


def test_what_is_known_of_the_acquisition() -> None:
    taken = load(FILES / "CT_small.dcm").acquisition
    assert (taken.modality, taken.spacing_mm) == ("CT", (0.661468, 0.661468))
    plain = shown("CT_small.dcm", lambda dataset: setattr(dataset, "Modality", "DX")).acquisition
    assert plain.modality == "X-ray"


SECRETS = {"PatientName": "Veryunusual^Name", "PatientID": "ID-4711-XYZ", "InstitutionName": "Hospital Quux"}


def test_no_patient_field_leaves_the_file(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    def named(dataset: Dataset) -> None:
        for keyword, value in SECRETS.items():
            setattr(dataset, keyword, value)

    caplog.set_level(logging.DEBUG)
    data = changed("CT_small.dcm", named)
    said = [repr(decode(data, "x.dcm"))]
    for cut in range(200, len(data), 997):
        try:
            said.append(repr(decode(data[:cut], "x.dcm")))
        except ImageError as error:
            said.append(f"{error!r} {error.__cause__!r}")
    printed = capsys.readouterr()
    heard = " ".join([*said, caplog.text, printed.out, printed.err])
    assert not any(part in heard for value in SECRETS.values() for part in value.replace("^", " ").split())


def test_a_missing_decoder_names_its_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        is_available = False

    monkeypatch.setattr("pydicom.pixels.decoders.base.get_decoder", lambda _: Missing())
    with pytest.raises(ImageError, match=r"JPEG.* needs a decoder .*pip install 'lumenscribe\[dicom\]'"):
        load(FILES / "JPEG2000.dcm")


def test_a_huge_frame_is_refused_by_its_header() -> None:
    def huge(dataset: Dataset) -> None:
        dataset.Rows, dataset.Columns = 60_000, 60_000

    with pytest.raises(ImageError, match="over the limit of 100 million pixels"):
        shown("CT_small.dcm", huge)
