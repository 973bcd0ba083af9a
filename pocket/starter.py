"""What a first run needs: a small captioned set and passages of our own, and the demo's two images.

`write_starter` draws on rendered images and on images that scikit-image and pydicom carry; it reads no network
and nothing of the house but `imaging` and `pocket.render`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import skimage
from numpy.typing import NDArray
from PIL import Image

from imaging import load
from pocket.render import RenderKind, render

SEEDS: dict[RenderKind, range] = {
    "smear": range(200_000, 200_014),
    "fluorescence": range(200_100, 200_110),
    "tissue": range(200_200, 200_214),
    "radiograph": range(200_300, 200_308),
}
"""Rendered images of the starter set; no seed here is trained on."""
DEMO_SMEAR_SEED = 300_059
OURS = "CC0-1.0"
_PYDICOM_LICENSE = "pydicom test file; its README knows of no restriction on use"
_PYDICOM_BY = "pydicom/data/test_files"
_SKIMAGE_BY = "scikit-image, skimage/data"

PYDICOM_IMAGES = (
    ("CT_small.dcm", "Axial CT of the spine, one vertebra in the middle."),
    ("693_J2KI.dcm", "Axial CT of the head, the skull as a bright ring."),
    ("J2K_pixelrep_mismatch.dcm", "Axial CT of the head at the skull base, in a bone window."),
    ("MR_small.dcm", "MR image, a small field of view."),
    ("examples_overlay.dcm", "Axial MR image of the abdomen, liver and both kidneys in view."),
    ("examples_rgb_color.dcm", "Power Doppler ultrasound image of a lymph node, with labels."),
    ("examples_palette.dcm", "Ultrasound image, a fan-shaped field of view."),
)
SKIMAGE_IMAGES = (
    ("cell.png", "Quantitative phase image of one round cell in saline.", "CC0-1.0",
     "P. Mueller et al.; " + _SKIMAGE_BY),
    ("retina.jpg", "Fundus photograph of the retina of an eye.", "CC0-1.0", "M. Haeggstroem; " + _SKIMAGE_BY),
    ("microaneurysms.png", "Detail of a fundus photograph, grey, with microaneurysms as dark dots.", "CC0-1.0",
     "HRF database, A. Maier; " + _SKIMAGE_BY),
    ("phantom.png", "Shepp-Logan phantom: a drawn test image of a head section, not a patient.",
     "see scikit-image", "Shepp and Logan 1974; " + _SKIMAGE_BY),
)  # fmt: skip

PASSAGES = (
    (
        "smear",
        "Blood smear",
        "A blood smear is a thin film of blood on a glass slide, stained and looked at by light microscopy. Red "
        "cells are the many pale discs; white cells are larger and have a purple nucleus; platelets are small "
        "purple dots.",
    ),
    (
        "giemsa",
        "Giemsa and Wright stains",
        "Giemsa and Wright stains colour nuclei purple and red cells pink to grey. Shades differ between "
        "laboratories, so colour alone does not tell one cell type from another.",
    ),
    (
        "red-cells",
        "Red cells",
        "Normal red cells are round discs of about seven micrometres without a nucleus, paler in the middle. Where "
        "cells overlap, a count from one image is approximate.",
    ),
    (
        "white-cells",
        "White cells",
        "White cells in blood are neutrophils, lymphocytes, monocytes, eosinophils and basophils. They differ in "
        "size, in the shape of the nucleus and in their granules. There are several hundred red cells for each "
        "white cell.",
    ),
    (
        "neutrophil",
        "Neutrophils",
        "A neutrophil has a nucleus of three to five lobes and pale, fine granules.",
    ),
    (
        "lymphocyte",
        "Lymphocytes",
        "A lymphocyte is small, with a round dark nucleus that nearly fills the cell.",
    ),
    (
        "platelets",
        "Platelets",
        "Platelets are fragments of cells two to three micrometres wide. In a smear they lie between the red cells "
        "as small purple dots, alone or in clumps.",
    ),
    (
        "counting",
        "Counting cells in an image",
        "A count from a single field says little of a patient: cells are spread unevenly, overlap, and are cut off "
        "at the edges. Several fields are counted, and the magnification must be known.",
    ),
    (
        "fluorescence",
        "Fluorescence microscopy",
        "In fluorescence microscopy labelled structures shine on a dark background. The colour shown is often "
        "chosen by software and need not be the dye's own.",
    ),
    (
        "dapi",
        "DAPI and Hoechst",
        "DAPI and Hoechst bind DNA and make nuclei shine blue. Each bright oval is one nucleus; touching nuclei "
        "may look like one.",
    ),
    (
        "nuclei",
        "Segmenting nuclei",
        "Counting nuclei needs touching ones to be parted. Dim and out-of-focus nuclei are easily missed, so "
        "counts from an image are estimates.",
    ),
    (
        "he",
        "Haematoxylin and eosin",
        "Haematoxylin stains nuclei blue to purple; eosin stains cytoplasm and fibres pink. H&E is the usual stain "
        "of a tissue section in histology.",
    ),
    (
        "ihc",
        "Immunohistochemistry",
        "In immunohistochemistry an antibody marks one protein. With DAB it appears brown, and haematoxylin "
        "colours the nuclei blue. Brown shows where the protein is, not what disease there is.",
    ),
    (
        "section",
        "Tissue sections",
        "A tissue section is a slice a few micrometres thick, stained and seen by light microscopy. Glands, "
        "fibres, fat and blood vessels can be told by their shape.",
    ),
    (
        "brightfield",
        "Bright-field microscopy",
        "In bright-field microscopy light passes through the specimen, which looks dark on a bright ground. "
        "Unstained cells have little contrast.",
    ),
    (
        "ct",
        "Computed tomography",
        "CT computes slices of the body from X-rays taken all around it. Bone is white, air black, soft tissue "
        "grey; the window decides which greys can be told apart.",
    ),
    (
        "ct-contrast",
        "Contrast in CT",
        "Iodine contrast makes vessels and some organs brighter in CT. Without knowing whether it was given, "
        "brightness of an organ should be read with care.",
    ),
    (
        "mr",
        "Magnetic resonance imaging",
        "MR images are made with a strong magnet and radio waves. Fluid is dark in T1-weighted and bright in "
        "T2-weighted images; dense bone gives little signal and looks dark.",
    ),
    (
        "mr-ct",
        "Telling MR from CT",
        "In CT the skull is a bright white ring; in MR it is dark, and the fat of the scalp is bright. MR shows "
        "more contrast within the brain than CT.",
    ),
    (
        "planes",
        "Planes of section",
        "An axial slice cuts across the body, a coronal slice parts front from back, and a sagittal slice parts "
        "left from right.",
    ),
    (
        "xray",
        "X-ray images",
        "An X-ray image, or radiograph, is a projection: all that lies behind one another adds up. Bone is bright "
        "and air in the lungs is dark.",
    ),
    (
        "chest-xray",
        "Chest X-ray",
        "A frontal chest X-ray shows both lungs, the heart between them, the ribs and the diaphragm. Whether it "
        "was taken from the back (PA) or the front (AP) changes how large the heart looks.",
    ),
    (
        "ultrasound",
        "Ultrasound",
        "Ultrasound images are often fan-shaped and grainy. Fluid is black; bone and gas cast shadows.",
    ),
    (
        "limits",
        "What one image cannot say",
        "A single image without history, scale and other views does not make a diagnosis. A description should "
        "keep to what can be seen and say when it cannot tell.",
    ),
)
"""Id, title and text of each passage, our own words."""


def write_starter(folder: Path) -> None:
    """Writes `records.jsonl` with its images and `passages.jsonl`; the same bytes each time."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "images").mkdir(exist_ok=True)
    rows = []
    for row, pixels in [*_rendered(), *_dicom(), *_micrographs()]:
        Image.fromarray(pixels).save(folder / str(row["image"]), optimize=False)
        rows.append(row)
    _write_lines(folder / "records.jsonl", rows)
    passages: list[dict[str, str]] = [
        {"id": f"starter-{name}", "title": title, "text": text, "source": "starter", "license": OURS}
        for name, title, text in PASSAGES
    ]
    _write_lines(folder / "passages.jsonl", passages)


def write_demo(folder: Path) -> None:
    """Writes `smear.png` (rendered; in neither the starter set nor the training) and scikit-image's `ihc.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(render("smear", DEMO_SMEAR_SEED).pixels).save(folder / "smear.png")
    (folder / "ihc.png").write_bytes((_skimage_folder() / "ihc.png").read_bytes())


def _write_lines(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _row(name: str, caption: str, source: str, license_: str, attribution: str, article: str) -> dict[str, str]:
    return {
        "id": f"starter-{name}",
        "image": f"images/{name}.png",
        "caption": caption,
        "source": source,
        "license": license_,
        "attribution": attribution,
        "article": article,
    }


def _rendered() -> Iterator[tuple[dict[str, str], NDArray[np.uint8]]]:
    for kind, seeds in SEEDS.items():
        for seed in seeds:
            made = render(kind, seed)
            name = f"{kind}-{seed}"
            caption = f"{made.caption} Drawn by a program." if kind == "radiograph" else made.caption
            yield _row(name, caption, "rendered", OURS, "Lumenscribe, pocket/render.py", name), made.pixels


def _dicom() -> Iterator[tuple[dict[str, str], NDArray[np.uint8]]]:
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    for file, caption in PYDICOM_IMAGES:
        name = f"pydicom-{Path(file).stem}"
        yield _row(name, caption, "pydicom", _PYDICOM_LICENSE, _PYDICOM_BY, name), load(folder / file).pixels


def _micrographs() -> Iterator[tuple[dict[str, str], NDArray[np.uint8]]]:
    for file, caption, license_, attribution in SKIMAGE_IMAGES:
        name = f"skimage-{Path(file).stem}"
        with Image.open(_skimage_folder() / file) as stored:
            image = stored.convert("RGB")
            image.thumbnail((512, 512))
            yield _row(name, caption, "scikit-image", license_, attribution, name), np.asarray(image)


def _skimage_folder() -> Path:
    return Path(skimage.__file__).parent / "data"
