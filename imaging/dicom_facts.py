"""What a DICOM file says of how its image was made, in words of closed lists.

Names of people turn up in elements that are meant for something else, so no value is passed on as it was typed: a
defined term becomes our word for it, a number is held against what is possible, and the rest is left unsaid.
StudyDescription, SeriesDescription, ProtocolName and other free text are not read; of the contrast agent's name all
that is told is whether there is one.

Terms: PS3.3 C.7.3.1.1.1 (modality), C.8.11.5 (view), C.8.3.1 and C.8.13.1 (MR), PS3.16 Annex L (body parts), CID 4031.
"""

from __future__ import annotations

import math
import re
from typing import Any

from imaging.types import Acquisition

ELEMENTS = (
    "Modality", "SOPClassUID", "ImageType", "BodyPartExamined", "AnatomicRegionSequence", "ImageLaterality",
    "Laterality", "ViewPosition", "ImageOrientationPatient", "PixelSpacing", "ImagerPixelSpacing", "SliceThickness",
    "ContrastBolusAgent", "ContrastBolusAgentSequence", "ScanningSequence", "EchoPulseSequence",
    "AcquisitionContrast", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
)  # fmt: skip
"""All that is read here; none is a person's name, a date, a place or a description."""

MODALITIES = {
    "CT": "CT", "MR": "MR", "CR": "X-ray", "DX": "X-ray", "RG": "X-ray", "MG": "mammography", "US": "ultrasound",
    "IVUS": "intravascular ultrasound", "PT": "PET", "NM": "nuclear medicine", "XA": "angiography",
    "RF": "fluoroscopy", "SM": "microscopy", "GM": "microscopy", "ES": "endoscopy", "XC": "photograph",
    "OP": "ophthalmic photograph", "OPT": "optical coherence tomography", "IVOCT": "optical coherence tomography",
    "OCT": "optical coherence tomography", "IO": "dental X-ray", "PX": "panoramic X-ray", "BMD": "bone densitometry",
    "DG": "diaphanography", "TG": "thermography",
}  # fmt: skip
VIEWS = {
    "AP": "AP", "PA": "PA", "LL": "left lateral", "RL": "right lateral", "LLD": "left lateral decubitus",
    "RLD": "right lateral decubitus", "LLO": "left oblique", "RLO": "right oblique", "LAT": "lateral",
    "LATERAL": "lateral", "CC": "CC", "MLO": "MLO", "ML": "ML", "LM": "LM", "LMO": "LMO", "XCCL": "XCCL",
    "XCCM": "XCCM", "SIO": "SIO", "ISO": "ISO", "FB": "FB",
}  # fmt: skip
SIDES = {"R": "right", "L": "left", "B": "both sides"}
SEQUENCES = {"SE": "spin echo", "IR": "inversion recovery", "GR": "gradient echo", "EP": "echo planar",
             "SPIN": "spin echo", "GRADIENT": "gradient echo", "BOTH": "spin and gradient echo"}  # fmt: skip
WEIGHTINGS = {
    "T1": "T1-weighted", "T2": "T2-weighted", "T2_STAR": "T2*-weighted", "PROTON_DENSITY": "proton density",
    "DIFFUSION": "diffusion-weighted", "PERFUSION": "perfusion", "FLUID_ATTENUATED": "fluid-attenuated",
    "STIR": "STIR", "TOF": "time of flight", "FLOW_ENCODED": "flow-encoded", "TAGGING": "tagged",
}  # fmt: skip
_RUN_TOGETHER = {
    "ABDOMENPELVIS": "abdomen and pelvis", "BILEDUCT": "bile duct", "CSPINE": "cervical spine",
    "CTSPINE": "cervical and thoracic spine", "TSPINE": "thoracic spine", "TLSPINE": "thoracic and lumbar spine",
    "LSPINE": "lumbar spine", "LSSPINE": "lumbar and sacral spine", "SSPINE": "sacrum",
    "CHESTABDOMEN": "chest and abdomen", "CHESTABDPELVIS": "chest, abdomen and pelvis",
    "CIRCLEOFWILLIS": "circle of Willis", "CORONARYARTERY": "coronary arteries", "HEADNECK": "head and neck",
    "IAC": "internal auditory canal", "NECKCHEST": "neck and chest", "NECKCHESTABDOMEN": "neck, chest and abdomen",
    "NECKCHESTABDPELV": "neck, chest, abdomen and pelvis", "RADIUSULNA": "radius and ulna", "THORAX": "chest",
    "SIJOINT": "sacroiliac joint", "TIBIAFIBULA": "tibia and fibula", "TMJ": "temporomandibular joint",
    "WHOLEBODY": "whole body", "LOWERLEG": "lower leg", "UPPERARM": "upper arm",
}  # fmt: skip
_PLAIN = (
    "abdomen adrenal ankle aorta arm axilla back bladder brain breast bronchus buttock calcaneus calf carotid "
    "cerebellum cervix cheek chest clavicle coccyx colon cornea duodenum ear elbow esophagus extremity eye eyelid "
    "face femur fibula finger foot forearm gallbladder hand head heart hip humerus ileum ilium jaw jejunum kidney knee "
    "larynx leg liver lung mandible mastoid maxilla mediastinum mouth neck nose orbit ovary pancreas parotid patella "
    "pelvis penis pharynx prostate radius rectum rib sacrum scalp scapula sclera scrotum sella shoulder sinus skin "
    "skull spine spleen sternum stomach submandibular testis thigh thumb thymus thyroid tibia toe tongue trachea ulna "
    "ureter urethra uterus vagina vulva wrist zygoma"
)
BODY_PARTS = {**{word.upper(): word for word in _PLAIN.split()}, **_RUN_TOGETHER}

NAMED_PLANE = 0.8
"""A plane is called axial and so on up to 37 degrees of tilt (this cosine): a tilted gantry's slices are axial."""
_NO_AGENT = re.compile(r"no(?:ne|ne given|t given)?|nil|n|without(?: contrast)?|w/o|no contrast|non ?contrast|0|-")
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_LOCALIZER = 2
"""The place of LOCALIZER among the values of ImageType."""
MAX_SPACING_MM = 20.0
MAX_SLICE_MM = 50.0


def acquisition_of(dataset: Any, index: int) -> Acquisition:
    """The facts of one frame, counted from 0."""
    modality = MODALITIES.get(_term(dataset.get("Modality")))
    scout = _terms(dataset.get("ImageType"))[_LOCALIZER : _LOCALIZER + 1] == ["LOCALIZER"]
    measures = element(dataset, index, "PixelMeasuresSequence", "PixelSpacing") or dataset
    spacing = detector = None
    if not str(dataset.get("SOPClassUID") or "").startswith(_SECONDARY_CAPTURE):  # of a screen, as often as not
        spacing = _pair(measures.get("PixelSpacing"))
        detector = _pair(dataset.get("ImagerPixelSpacing")) if spacing is None else None
    return Acquisition(
        modality=modality,
        body_part=_body_part(dataset, index),
        laterality=SIDES.get(_term(dataset.get("ImageLaterality")) or _term(dataset.get("Laterality"))),
        view="localizer" if scout else VIEWS.get(_term(dataset.get("ViewPosition"))),
        plane=None if scout else _plane(dataset, index),
        contrast_agent=_contrast_agent(dataset),
        sequence=_sequence(dataset) if modality == "MR" else None,
        weighting=_weighting(dataset, index) if modality == "MR" else None,
        spacing_mm=spacing,
        detector_spacing_mm=detector,
        slice_thickness_mm=_length(measures.get("SliceThickness") or dataset.get("SliceThickness"), MAX_SLICE_MM),
    )


def element(dataset: Any, index: int, sequence: str, keyword: str) -> Any:
    """The item of an enhanced file's functional groups that holds a value: the frame's own, or that of all frames."""
    frames, shared = (dataset.get(f"{name}FunctionalGroupsSequence") or [] for name in ("PerFrame", "Shared"))
    for group in (*frames[index : index + 1], *shared[:1]):
        for item in (group.get(sequence) or [])[:1]:
            if keyword in item:
                return item
    return None


def _body_part(dataset: Any, index: int) -> str | None:
    named = re.sub(r"[\s_-]", "", _term(dataset.get("BodyPartExamined")))
    if named in BODY_PARTS:
        return BODY_PARTS[named]
    holder = element(dataset, index, "FrameAnatomySequence", "AnatomicRegionSequence") or dataset
    for region in (holder.get("AnatomicRegionSequence") or [])[:1]:
        return _region(str(region.get("CodingSchemeDesignator") or ""), str(region.get("CodeValue") or ""))
    return None


def _region(scheme: str, value: str) -> str | None:
    """What CID 4031, common anatomic regions, calls a code; the words beside the code in the file are not read."""
    if scheme not in ("SCT", "SRT", "SNM3"):
        return None
    from pydicom.sr.codedict import codes  # a second; few files have a code and no defined term
    from pydicom.sr.coding import Code

    asked = Code(value, "SRT" if scheme == "SNM3" else scheme, "")
    regions = (getattr(codes.cid4031, name) for name in codes.cid4031.dir())
    return next((str(region.meaning).lower() for region in regions if region == asked), None)


def _plane(dataset: Any, index: int) -> str | None:
    """The plane whose normal is nearest to the rows' cross product with the columns (PS3.3 C.7.6.2.1.1)."""
    held = element(dataset, index, "PlaneOrientationSequence", "ImageOrientationPatient") or dataset
    cosines = _numbers(held.get("ImageOrientationPatient"))
    if len(cosines) != 6:
        return None
    (a, b, c), (d, e, f) = cosines[:3], cosines[3:]
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    length = math.hypot(*normal)
    if not 0.9 <= length <= 1.1:
        return None
    names = ("sagittal", "coronal", "axial")
    steepest = max(range(3), key=lambda axis: abs(normal[axis]))
    return names[steepest] if abs(normal[steepest]) >= NAMED_PLANE * length else "oblique"


def _contrast_agent(dataset: Any) -> bool | None:
    """Whether one was given; None where the file does not say. Its name is not passed on."""
    if dataset.get("ContrastBolusAgentSequence"):
        return True
    agent = str(dataset.get("ContrastBolusAgent") or "").strip().lower()
    return None if not agent else not _NO_AGENT.fullmatch(agent)


def _sequence(dataset: Any) -> str | None:
    kinds = _terms(dataset.get("ScanningSequence")) or _terms(dataset.get("EchoPulseSequence"))
    return ", ".join(dict.fromkeys(SEQUENCES[kind] for kind in kinds if kind in SEQUENCES)) or None


def _weighting(dataset: Any, index: int) -> str | None:
    held = element(dataset, index, "MRImageFrameTypeSequence", "AcquisitionContrast") or dataset
    return WEIGHTINGS.get(_term(held.get("AcquisitionContrast")))


def _term(value: Any) -> str:
    """A defined term as written, in capitals; "" where it is missing."""
    return "" if value is None else str(value).strip().upper()


def _terms(value: Any) -> list[str]:
    """The defined terms of an element of one or several."""
    several = [value] if value is None or isinstance(value, str) else list(value)
    return [_term(one) for one in several if _term(one)]


def _numbers(value: Any) -> list[float]:
    """The finite numbers of an element, [] where one of them is none."""
    try:
        numbers = [float(one) for one in ([value] if isinstance(value, (str, float, int)) else value or ())]
    except (TypeError, ValueError):
        return []
    return numbers if all(map(math.isfinite, numbers)) else []


def _pair(value: Any) -> tuple[float, float] | None:
    """Spacing of rows and of columns, mm."""
    numbers = _numbers(value)
    if len(numbers) != 2 or not all(0 < number <= MAX_SPACING_MM for number in numbers):
        return None
    return numbers[0], numbers[1]


def _length(value: Any, most: float) -> float | None:
    numbers = _numbers(value)
    return numbers[0] if len(numbers) == 1 and 0 < numbers[0] <= most else None
