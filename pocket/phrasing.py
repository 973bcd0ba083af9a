"""Other people's words for the same facts: captions as an index may hold them, and questions with their answers.

Used to train; what the model itself is to say is in `facts`.
"""

from __future__ import annotations

import random

from pocket.facts import CANNOT_SAY, CANNOT_TELL, STAINS, Facts, Kind, caption, count_words, things

_NAMES: dict[Kind, tuple[str, ...]] = {
    "smear": ("blood smear", "peripheral blood film", "Giemsa-stained blood smear", "Wright-stained smear of blood",
              "microscopy of red and white blood cells", "thin blood film", "light micrograph of blood cells"),
    "fluorescence": ("fluorescence micrograph of nuclei", "DAPI-stained nuclei", "fluorescent nuclei in cultured cells",
                     "nuclei stained with Hoechst, fluorescence microscopy", "fluorescence microscopy of cells",
                     "confocal image of labelled nuclei"),
    "tissue": ("stained tissue section", "histology section", "histopathology of a biopsy",
               "light micrograph of tissue", "microscopy of a stained section", "tissue section at high magnification"),
    "brightfield": ("bright-field micrograph of cells", "grey-scale microscopy of squamous cells",
                    "unstained cells, bright-field microscopy", "cytology preparation"),
    "ct": ("CT", "computed tomography", "CT scan", "contrast-enhanced CT", "computed tomography (CT) image",
           "CT image", "non-contrast CT"),
    "mr": ("MRI", "magnetic resonance imaging", "T2-weighted MRI", "MR image", "T1-weighted magnetic resonance image",
           "FLAIR MRI", "MRI scan", "post-contrast T1 MRI"),
    "xray": ("X-ray", "radiograph", "plain radiograph", "plain film", "x-ray film", "XR"),
    "unknown": ("photograph", "everyday photograph", "texture", "page of text", "drawing", "no biomedical content"),
}  # fmt: skip
_STAIN_NAMES = {
    "he": ("hematoxylin and eosin", "H&E", "haematoxylin-eosin stain", "HE staining"),
    "ihc": (
        "immunohistochemistry",
        "IHC with DAB",
        "brown immunostaining",
        "immunohistochemical stain, blue counterstain",
    ),
}
_ORGANS = {"head": ("head", "brain"), "chest": ("chest", "thorax", "lungs"), "abdomen": ("abdomen", "belly")}
_ANSWERS: dict[Kind, str] = {
    "smear": "Blood smear, light microscopy.",
    "fluorescence": "Fluorescence microscopy.",
    "tissue": "Stained tissue section, light microscopy.",
    "brightfield": "Bright-field microscopy.",
    "ct": "CT.",
    "mr": "MRI.",
    "xray": "X-ray.",
    "unknown": CANNOT_TELL,
}
_KIND_QUESTIONS = (
    "What kind of image is this?", "What type of image is this?", "What is this?", "What does this image show?",
    "What modality is this?", "What imaging modality was used?", "How was this image taken?", "What do you see?",
    "What kind of picture is this?", "Which imaging technique was used?",
)  # fmt: skip
_IS_IT: dict[Kind, tuple[str, ...]] = {
    "smear": ("Is this a blood smear?", "Does this show blood cells?", "Are there red blood cells?"),
    "fluorescence": ("Is this fluorescence microscopy?", "Are these fluorescent nuclei?"),
    "tissue": ("Is this a tissue section?", "Is this histology?", "Is this a stained tissue?"),
    "brightfield": ("Is this bright-field microscopy?",),
    "ct": ("Is this a CT?", "Is this a CT scan?", "Was this taken by CT?"),
    "mr": ("Is this an MRI?", "Is this an MR image?", "Was this taken with MRI?"),
    "xray": ("Is this an X-ray?", "Is this a radiograph?", "Is this a plain film?"),
    "unknown": ("Is this a photograph?",),
}


WHITE_CELL_NAMES = (
    "neutrophil", "lymphocyte", "monocyte", "eosinophil", "basophil", "neutrophil", "lymphocyte", "monocyte",
    "eosinophil", "basophil", "band cell", "metamyelocyte", "myelocyte", "promyelocyte", "blast", "plasma cell",
    "reactive lymphocyte", "erythroblast", "smudge cell", "hairy cell", "lymphoblast", "myeloblast", "prolymphocyte",
    "immature granulocyte",
)  # fmt: skip
"""The five common ones twice."""
WHITE_CELL_MODIFIERS = (
    "atypical", "segmented", "toxic", "large", "small", "abnormal", "vacuolated", "degranulated", "giant", "young",
    "mature", "granular", "hypersegmented", "damaged",
)  # fmt: skip
_CELL_CAPTIONS = (
    "{name}", "{name}.", "Blood smear, one white cell: {name}.", "Blood smear with one {name}.", "Single {name}.",
    "{name}, Wright stain.", "A {name} from peripheral blood.", "White blood cell of class {name}.", "cell: {name}",
    "Peripheral blood film showing one {name} among red cells.", "White cell type: {name}.", "One {name}, x1000.",
    "Giemsa-stained smear. {name}.", "Leukocyte: {name}", "Image of a {name} in a blood film.",
    "Blood smear, light microscopy. One white cell ({name}).",
    "Blood smear, light microscopy. About 14 red cells, one white cell ({name}) and no platelets.",
    "Blood smear, light microscopy. About 9 red cells, one white cell ({name}) and two platelets.",
)  # fmt: skip
_CELL_QUESTIONS = (
    "What type of white cell is this?", "Which white cell is this?", "What kind of leukocyte is shown?",
    "What is the type of the white blood cell?", "Name the white cell.",
)  # fmt: skip


def cell_caption(name: str, rng: random.Random) -> str:
    """A caption that names the type of a white cell."""
    text = rng.choice(_CELL_CAPTIONS).format(name=name)
    return text[0].upper() + text[1:] if rng.random() < 0.8 else text


def cell_question(facts: Facts, rng: random.Random) -> tuple[str, str]:
    """What a smear's one white cell is: told by the evidence, or not to be told."""
    return rng.choice(_CELL_QUESTIONS), f"{facts.cell.capitalize()}." if facts.cell else CANNOT_SAY


def index_caption(facts: Facts, rng: random.Random) -> str:
    """A caption of the same facts as a stranger's index may hold it: other words, more or less detail."""
    if rng.random() < 0.35:
        return caption(facts)
    name = rng.choice(_NAMES[facts.kind])
    if facts.kind in ("ct", "mr", "xray"):
        return _radiology_caption(facts, name, rng)
    text = name
    if facts.kind == "smear" and facts.red is not None:
        text = rng.choice((
            f"{name} with {facts.red} red cells, {facts.white or 0} white cells and {facts.platelets or 0} platelets",
            f"{name}: {facts.red} erythrocytes, {facts.white or 0} leukocytes",
            f"{name} showing {count_words(facts.red)} red cells",
        ))  # fmt: skip
    elif facts.kind in ("fluorescence", "tissue", "brightfield") and facts.nuclei is not None:
        text = rng.choice((f"{name} with {facts.nuclei} nuclei", f"{name}, {facts.nuclei} nuclei", name))
    elif facts.kind == "tissue" and facts.stain:
        text = f"{name}, {rng.choice(_STAIN_NAMES[facts.stain])}"
    return text[0].upper() + text[1:] + "."


def _radiology_caption(facts: Facts, name: str, rng: random.Random) -> str:
    organ = rng.choice(_ORGANS.get(facts.organ or "", (facts.organ or "patient",)))
    plane = facts.plane if facts.plane and facts.plane != "frontal" else None
    finding = rng.choice(("", "", " showing a mass", " with no acute abnormality", " demonstrates a lesion (arrow)",
                          " in a 54-year-old man", " shows an abnormality", " before treatment"))  # fmt: skip
    if facts.kind == "xray" and facts.plane:
        return rng.choice((f"{organ.capitalize()} {name}{finding}.", f"PA {organ} {name}{finding}.",
                           f"Frontal {name} of the {organ}{finding}."))  # fmt: skip
    start = f"{plane.capitalize()} {name}" if plane and rng.random() < 0.7 else name
    text = f"{start} of the {organ}{finding}."
    return text[0].upper() + text[1:]


def questions(facts: Facts, rng: random.Random) -> list[tuple[str, str]]:
    """Question and short answer pairs that the facts settle."""
    pairs = [(rng.choice(_KIND_QUESTIONS), _ANSWERS[facts.kind])]
    if facts.kind != "unknown":
        pairs.append((rng.choice(_IS_IT[facts.kind]), "Yes."))
    other = rng.choice([kind for kind in _IS_IT if kind != facts.kind])
    pairs.append((rng.choice(_IS_IT[other]), "No."))
    if facts.kind == "smear":
        pairs += _smear_questions(facts, rng)
    elif facts.nuclei is not None:
        count = things(facts.nuclei, "nucleus", "nuclei")
        pairs.append((rng.choice(("How many nuclei are there?", "How many nuclei?", "How many cells are there?")),
                      count[0].upper() + count[1:] + "."))  # fmt: skip
    if facts.kind == "tissue" and facts.stain:
        answer = STAINS[facts.stain]
        pairs.append((rng.choice(("What stain is this?", "Which stain was used?", "How is it stained?")),
                      answer[0].upper() + answer[1:] + "."))  # fmt: skip
    if facts.kind in ("ct", "mr", "xray"):
        pairs += _radiology_questions(facts, rng)
    return pairs


def _smear_questions(facts: Facts, rng: random.Random) -> list[tuple[str, str]]:
    pairs = []
    if facts.white is not None:
        asked = rng.choice(("Is there a white cell?", "Is there a white blood cell?", "Are there any leukocytes?",
                            "Is a white cell present?", "Does this show a white blood cell?", "Any white cells?",
                            "Is there a white blood cell in this image?", "Do you see a white cell?"))  # fmt: skip
        pairs.append((asked, "Yes." if facts.white else "No."))
        pairs.append(
            ("How many white cells are there?", things(facts.white, "white cell", "white cells").capitalize() + ".")
        )
    if facts.platelets is not None:
        asked = rng.choice(("Are there platelets?", "Are there platelets in this image?", "Are platelets visible?",
                            "Is there a platelet?"))  # fmt: skip
        pairs.append((asked, "Yes." if facts.platelets else "No."))
    if facts.red is not None:
        asked = rng.choice(("How many red cells are there?", "How many red blood cells?", "Count the red cells."))
        pairs.append((asked, things(facts.red, "red cell", "red cells").capitalize() + "."))
    return pairs


def _radiology_questions(facts: Facts, rng: random.Random) -> list[tuple[str, str]]:
    pairs = []
    if facts.organ:
        asked = rng.choice(("What organ is this?", "What part of the body is shown?", "Which body part is this?",
                            "What region of the body is this?", "Which organ system is shown?",
                            "Which part of the body does this image show?", "What body part is imaged?"))  # fmt: skip
        pairs.append((asked, f"The {facts.organ}."))
        named = facts.organ if rng.random() < 0.5 else rng.choice(("head", "chest", "abdomen", "spine", "knee"))
        asked = rng.choice(("Is this the {}?", "Does this show the {}?", "Is this an image of the {}?"))
        pairs.append((asked.format(named), "Yes." if named == facts.organ else "No."))
    if facts.plane:
        asked = rng.choice(("What plane is this?", "In what plane was this image taken?", "Which view is this?"))
        pairs.append((asked, facts.plane.capitalize() + "."))
        named = facts.plane if rng.random() < 0.5 else rng.choice(("axial", "coronal", "sagittal"))
        asked = rng.choice(("Is this {} image?", "Was this taken in {} plane?", "Is this {} view?"))
        pairs.append((asked.format(f"an {named}" if named == "axial" else f"a {named}"),
                      "Yes." if named == facts.plane else "No."))  # fmt: skip
    return pairs
