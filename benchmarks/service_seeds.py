"""Small good files of every kind that the service reads, of which bad ones are made."""

from __future__ import annotations

import gzip
import io
import zipfile
from functools import cache

import machine  # noqa: F401 - it puts the root on the path
import nibabel
import numpy as np
import pydicom
import tifffile
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, SecondaryCaptureImageStorage

from pocket.render import render

SIDE = 96


@cache
def seeds() -> dict[str, bytes]:
    """Name with its ending -> the bytes of the file, the same each time."""
    picture = Image.fromarray(render("smear", 300_059).pixels).resize((SIDE, SIDE))
    grey = np.asarray(picture.convert("L"))
    found = {f"seed.{ending}": _saved(picture, kind) for ending, kind in (
        ("png", "PNG"), ("jpg", "JPEG"), ("gif", "GIF"), ("webp", "WEBP"), ("bmp", "BMP"), ("tif",
        "TIFF"))}  # fmt: skip
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        found[f"{compression}.tif"] = _saved(picture, "TIFF", compression=compression)
    with io.BytesIO() as buffer:
        tifffile.imwrite(buffer, grey.astype(np.uint16) * 257, compression="zlib", rowsperstrip=16)
        found["deep.tif"] = buffer.getvalue()
    found["seed.dcm"] = _dicom(grey, frames=1, packed=False)
    found["frames.dcm"] = _dicom(grey, frames=3, packed=False)
    found["packed.dcm"] = _dicom(grey, frames=1, packed=True)
    volume = _nifti(grey)
    found["seed.nii"], found["seed.nii.gz"] = volume, gzip.compress(volume, mtime=0)
    return found


@cache
def good_zip() -> bytes:
    """A zip of two good images, as a batch takes it."""
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
            for name in ("seed.png", "seed.jpg"):
                packed.writestr(zipfile.ZipInfo(name), seeds()[name])
        return buffer.getvalue()


def _saved(picture: Image.Image, kind: str, **options: str) -> bytes:
    with io.BytesIO() as buffer:
        picture.save(buffer, kind, **options)
        return buffer.getvalue()


def _nifti(grey: NDArray[np.uint8]) -> bytes:
    """A volume of four slices, NIfTI-1 in one file."""
    voxels = np.stack([grey] * 4, axis=2).astype(np.int16)
    return bytes(nibabel.Nifti1Image(voxels, np.eye(4)).to_bytes())


def _dicom(grey: NDArray[np.uint8], frames: int, packed: bool) -> bytes:
    """A grey image with a patient's name, which must appear in no answer."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    image.SOPClassUID, image.SOPInstanceUID = SecondaryCaptureImageStorage, meta.MediaStorageSOPInstanceUID
    image.PatientName, image.PatientID, image.Modality = PATIENT, "PID-4711", "CT"
    image.Rows, image.Columns = grey.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 8, 8, 7, 0
    if frames > 1:
        image.NumberOfFrames = frames
    image.PixelData = grey.tobytes() * frames
    if packed:
        image.compress(RLELossless, generate_instance_uid=False)
    with io.BytesIO() as buffer:
        pydicom.dcmwrite(buffer, image, enforce_file_format=True)
        return buffer.getvalue()


PATIENT = "Nobody^Shall^See"
