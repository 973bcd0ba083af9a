"""Volumes become one slice, the way round that radiologists look at it."""

import gzip
import io
from pathlib import Path

import numpy as np
import pytest

from imaging import ImageError, decode, load

nibabel = pytest.importorskip("nibabel", reason="needs the extra 'dicom'")


def volume(directions: str = "RAS", family: str = "Nifti1Image") -> bytes:
    """20 x 30 x 8 voxels; in slice 3 what is at the patient's right and front is bright."""
    values = np.zeros((20, 30, 8), np.int16)
    values[:10, 15:, 2] = 500  # the first axis leads to the patient's right: low is left
    values = values[::-1]
    start = nibabel.orientations.axcodes2ornt("RAS")
    turn = nibabel.orientations.ornt_transform(start, nibabel.orientations.axcodes2ornt(directions))
    made = getattr(nibabel, family)(values, np.diag([2.0, 3.0, 4.0, 1.0])).as_reoriented(turn)
    return bytes(made.to_bytes())


@pytest.mark.parametrize("directions", ["RAS", "LPS", "SAR", "PIR"])
@pytest.mark.parametrize("family", ["Nifti1Image", "Nifti2Image"])
@pytest.mark.parametrize("packed", [False, True])
def test_the_right_of_the_patient_is_on_the_left_and_the_front_above(
    directions: str, family: str, packed: bool, tmp_path: Path
) -> None:
    data = volume(directions, family)
    file = tmp_path / "scan.nii.gz"
    file.write_bytes(gzip.compress(data) if packed else data)
    shown = load(f"{file}#frame=3")
    assert shown.pixels.shape == (30, 20, 3)
    assert (shown.pixels[:15, :10] == 255).all()
    assert shown.pixels[15:].max() == shown.pixels[:, 10:].max() == 0
    assert shown.acquisition.spacing_mm == (3.0, 2.0)
    assert shown.acquisition.plane == "axial"
    assert shown.notes[0] == "axial slice 3 of 8"


def test_a_volume_that_lies_askew_is_oblique_and_one_without_orientation_says_nothing() -> None:
    askew = np.diag([2.0, 3.0, 4.0, 1.0])
    turn = np.deg2rad(44)
    askew[1:3, 1:3] = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * 3
    for affine, plane in ((askew, "oblique"), (None, None)):
        made = nibabel.Nifti1Image(np.arange(960, dtype=np.int16).reshape(10, 12, 8), affine)
        assert decode(bytes(made.to_bytes()), "x.nii").acquisition.plane == plane


def test_the_middle_slice_is_shown_where_none_is_named() -> None:
    assert decode(volume(), "x.nii").notes[0] == "axial slice 5 of 8"
    with pytest.raises(ImageError, match="has no slice 9; it has 8"):
        decode(volume(), "x.nii", frame=9)


def test_of_several_volumes_the_first_is_shown() -> None:
    values = np.stack([np.tile(np.arange(6.0)[:, None, None], (1, 5, 4)), np.zeros((6, 5, 4))], axis=-1)
    shown = decode(bytes(nibabel.Nifti1Image(values, np.eye(4)).to_bytes()), "x.nii")
    assert shown.pixels.shape == (5, 6, 3)
    assert shown.pixels.max() == 255


def test_bad_volumes_are_said_in_one_line() -> None:
    data = volume()
    with pytest.raises(ImageError, match=r"x\.nii: damaged NIfTI"):
        decode(data[:2000], "x.nii")
    with pytest.raises(ImageError, match=r"damaged NIfTI|not an image"):
        decode(gzip.compress(data)[:60], "x.nii.gz")
    header = nibabel.Nifti1Header.from_fileobj(io.BytesIO(data[:348]))
    header.set_data_shape((20_000, 20_000, 100))
    with pytest.raises(ImageError, match="over the limit"):
        decode(gzip.compress(header.binaryblock + data[348:]), "x.nii.gz")
