"""What files say of how they were made: in our words, and in nobody's name."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from pydicom.dataset import Dataset

from imaging import Acquisition, decode
from imaging.dicom_facts import BODY_PARTS, ELEMENTS
from imaging.ome import known_name, read_ome
from tests.imaging.test_dicom import changed

NAME = "Quuxington"


def of_dicom(change: Callable[[Dataset], None], file: str = "CT_small.dcm") -> Acquisition:
    return decode(changed(file, change), "x.dcm").acquisition


def having(**values: Any) -> Callable[[Dataset], None]:
    def change(dataset: Dataset) -> None:
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    return change


def item(**values: Any) -> Dataset:
    made = Dataset()
    having(**values)(made)
    return made


@pytest.mark.parametrize(
    ("values", "fact", "expected"),
    [
        ({"BodyPartExamined": "CHEST"}, "body_part", "chest"),
        ({"BodyPartExamined": "c-spine"}, "body_part", "cervical spine"),
        ({"BodyPartExamined": "CHESTABDPELVIS"}, "body_part", "chest, abdomen and pelvis"),
        ({"BodyPartExamined": "HAND^PETER"}, "body_part", None),
        ({"ImageLaterality": "L"}, "laterality", "left"),
        ({"Laterality": "R"}, "laterality", "right"),
        ({"ViewPosition": "PA"}, "view", "PA"),
        ({"ViewPosition": "MLO"}, "view", "MLO"),
        ({"ViewPosition": "anything"}, "view", None),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "view", "localizer"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "plane", None),
        ({"Modality": "ZZ"}, "modality", None),
        ({"Modality": "OPT"}, "modality", "optical coherence tomography"),
        ({"SliceThickness": "2.5"}, "slice_thickness_mm", 2.5),
        ({"SliceThickness": "-1"}, "slice_thickness_mm", None),
        ({"PixelSpacing": ["0.5", "0.7"]}, "spacing_mm", (0.5, 0.7)),
        ({"PixelSpacing": ["0", "0"]}, "spacing_mm", None),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "spacing_mm", None),
        ({"ContrastBolusAgent": "11 ml of something"}, "contrast_agent", True),
        ({"ContrastBolusAgent": "NONE"}, "contrast_agent", False),
        ({"ContrastBolusAgent": ""}, "contrast_agent", None),
    ],
)
def test_an_element_becomes_a_word_of_ours_or_nothing(values: dict[str, Any], fact: str, expected: object) -> None:
    assert getattr(of_dicom(having(**values)), fact) == expected


@pytest.mark.parametrize(
    ("cosines", "plane"),
    [
        ([1, 0, 0, 0, 1, 0], "axial"),
        ([1, 0, 0, 0, 0.9272, -0.3746], "axial"),  # a tilted gantry
        ([0, 1, 0, 0, 0, -1], "sagittal"),
        ([1, 0, 0, 0, 0, -1], "coronal"),
        ([0.7071, 0.7071, 0, 0, 0, -1], "oblique"),
        ([1, 0, 0, 1, 0, 0], None),
        ([1, 0, 0], None),
    ],
)
def test_the_plane_is_that_of_the_orientation(cosines: list[float], plane: str | None) -> None:
    assert of_dicom(having(ImageOrientationPatient=cosines)).plane == plane


def test_a_radiographs_spacing_is_the_detectors_where_it_says_no_more() -> None:
    def radiograph(dataset: Dataset) -> None:
        del dataset.PixelSpacing
        having(Modality="DX", ImagerPixelSpacing=["0.14", "0.14"])(dataset)

    said = of_dicom(radiograph)
    assert (said.modality, said.spacing_mm, said.detector_spacing_mm) == ("X-ray", None, (0.14, 0.14))


@pytest.mark.parametrize(("scheme", "value"), [("SCT", "76752008"), ("SRT", "T-04000"), ("SNM3", "T-04000")])
def test_a_region_is_known_by_its_code_and_not_by_the_words_beside_it(scheme: str, value: str) -> None:
    region = item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=NAME)
    assert of_dicom(having(AnatomicRegionSequence=[region])).body_part == "breast"
    foreign = item(CodeValue=NAME, CodingSchemeDesignator="99LOCAL", CodeMeaning="breast")
    assert of_dicom(having(AnatomicRegionSequence=[foreign])).body_part is None


def test_an_mr_sequence_is_what_standard_elements_say() -> None:
    contrast = item(MRImageFrameTypeSequence=[item(AcquisitionContrast="T2_STAR")])
    said = of_dicom(
        having(ScanningSequence=["SE", "IR"], SharedFunctionalGroupsSequence=[contrast], ProtocolName="T1"),
        "MR_small.dcm",
    )
    assert (said.sequence, said.weighting) == ("spin echo, inversion recovery", "T2*-weighted")
    assert of_dicom(having(ProtocolName="T1 SE", SeriesDescription="T1"), "MR_small.dcm").weighting is None


def test_a_name_typed_into_any_element_reaches_no_fact() -> None:
    text = [
        "Modality", "BodyPartExamined", "ViewPosition", "ImageLaterality", "Laterality", "ImageType",
        "ContrastBolusAgent", "ScanningSequence", "EchoPulseSequence", "AcquisitionContrast", "StudyDescription",
        "SeriesDescription", "ProtocolName", "ImageComments", "PatientName", "OperatorsName", "StationName",
    ]  # fmt: skip
    for file in ("CT_small.dcm", "MR_small.dcm"):
        said = of_dicom(having(**dict.fromkeys(text, NAME)), file)
        assert NAME.lower() not in repr(said).lower()
        assert said.spacing_mm is not None
    assert not {"StudyDescription", "SeriesDescription", "ProtocolName", "PatientName"} & set(ELEMENTS)
    assert all(word.replace(",", "").replace(" ", "").isalpha() for word in BODY_PARTS.values())


def ome(names: list[str], **pixels: object) -> bytes:
    buffer = io.BytesIO()
    metadata = {"axes": "CYX", "Channel": {"Name": names}, **pixels}
    tifffile.imwrite(buffer, np.zeros((len(names), 32, 40), np.uint16), ome=True, metadata=metadata)
    return buffer.getvalue()


def test_an_ome_tiff_says_channels_stains_and_pixel_size() -> None:
    sizes = {"PhysicalSizeX": 0.65, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 650, "PhysicalSizeYUnit": "nm"}
    said = decode(ome(["DAPI", "Alexa Fluor 488", "CD45"], **sizes), "x.ome.tif", frame=2).acquisition
    assert said.said() == {
        "modality": "fluorescence microscopy",
        "spacing_mm": [0.00065, 0.00065],
        "stains": ["DAPI"],
        "channels": ["DAPI", "Alexa Fluor 488", "CD45"],
        "channel": "Alexa Fluor 488",
    }


@pytest.mark.parametrize(
    ("name", "known"),
    [("GFP", True), ("Hoechst 33342", True), ("Anti-CD3 (AF647)", True), ("TL Brightfield", True), ("561nm", True),
     ("", False), ("John Smith", False), ("DAPI J. Smith", False), ("GFP Иванов", False), ("DAPI " * 20, False)],
)  # fmt: skip
def test_a_channels_name_is_told_where_every_word_is_known(name: str, known: bool) -> None:
    assert known_name(name) is known


def test_a_channel_named_after_somebody_is_told_by_its_number() -> None:
    loaded = decode(ome(["DAPI", f"Dr {NAME}", "GFP"]), "x.ome.tif", frame=2)
    assert loaded.acquisition.channels == ("DAPI", "channel 2", "GFP")
    assert loaded.notes[0] == "frame 2 of 3 (channel 2)"
    assert NAME not in repr(loaded)


OME = """<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
<Experimenter ID="E:0" FirstName="Ada" LastName="Quuxington"/>
<Instrument ID="I:0"><Objective ID="O:0" NominalMagnification="10"/><Objective ID="O:1" NominalMagnification="63"/>
</Instrument>{images}</OME>"""
IMAGE = """<Image ID="Image:0" Name="Quuxington"><Description>of Quuxington</Description><ObjectiveSettings ID="O:1"/>
<Pixels PhysicalSizeX="0.1" PhysicalSizeY="0.2"><Channel Name="{name}" Fluor="EGFP" AcquisitionMode="WideField"/>
</Pixels></Image>"""


def test_the_objective_is_the_one_that_was_used() -> None:
    said = read_ome(OME.format(images=IMAGE.format(name=NAME)))
    assert (said.objective, said.channels, said.spacing_mm) == (63.0, ("EGFP",), (0.0002, 0.0001))
    assert NAME not in repr(said)


def test_images_that_differ_say_nothing_together() -> None:
    two = IMAGE.format(name="DAPI") + IMAGE.format(name="GFP")
    assert read_ome(OME.format(images=two)) == read_ome("no XML at all")
    assert read_ome(OME.format(images=IMAGE.format(name="DAPI") * 2)).channels == ("DAPI",)


@pytest.mark.parametrize("text", ["<OME", "<OME><Image></OME>", '<!DOCTYPE x [<!ENTITY a "b">]><OME>&a;</OME>'])
def test_damaged_xml_says_nothing(text: str) -> None:
    assert read_ome(text).channels == ()


@pytest.mark.parametrize(("dpi", "spacing"), [(72, None), (300, None), (4800, None), (50_800, 0.0005)])
def test_a_resolution_is_a_size_only_where_it_can_be_none_of_print_or_screen(dpi: int, spacing: float | None) -> None:
    for kind in ("PNG", "TIFF"):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8)).save(buffer, kind, dpi=(dpi, dpi))
        said = decode(buffer.getvalue(), "x").acquisition.spacing_mm
        assert said == (None if spacing is None else pytest.approx((spacing, spacing), rel=1e-4))


def test_imagej_names_its_unit() -> None:
    for unit, expected in (("um", 0.0005), ("\\u00B5m", 0.0005), ("mm", 0.5), ("pixel", None)):
        buffer = io.BytesIO()
        values = np.zeros((8, 8), np.uint16)
        tifffile.imwrite(buffer, values, imagej=True, resolution=(2, 2), metadata={"unit": unit})
        said = decode(buffer.getvalue(), "x.tif").acquisition.spacing_mm
        assert said == (None if expected is None else (expected, expected))
