"""What cannot both be so is named, with both texts; what can is left alone."""

import pytest

from rag.check import Checker
from rag.types import Conflict
from tests.rag.conftest import numbered


def conflicts(text: str, *evidence: str) -> tuple[Conflict, ...]:
    return Checker(0.6).check(text, numbered(*evidence)).conflicts


@pytest.mark.parametrize(
    ("kind", "text", "evidence"),
    [
        ("side", "Stone in the left kidney.", "Calculus of the right kidney."),
        ("side", "Pleural effusion on the left.", "Right-sided pleural effusion."),
        ("side", "Consolidation of the RLL.", "Consolidation of the left lower lobe."),
        ("negation", "No pleural effusion.", "Chest radiograph with a pleural effusion."),
        ("negation", "The fracture is displaced.", "The fracture is not displaced."),
        ("negation", "A pneumothorax is seen.", "The pneumothorax is no longer visible."),
        ("number", "A mass of 3 cm in the liver.", "Hepatic mass measuring 5 cm."),
        ("number", "Blood smear with two eosinophils.", "Blood smear with five eosinophils."),
        ("number", "Blood smear with about 15 red cells.", "Blood smear with about 23 red cells."),
        ("number", "Blood smear with 15 red cells.", "Blood smear with 16 red cells."),
        ("negation", "Blood smear with platelets.", "Blood smear with 0 platelets."),
        ("number", "CT of a 45-year-old man with an abscess of the liver.", "CT of a man aged 54, liver abscess."),
        ("modality", "CT of the brain with a haematoma.", "MRI of the brain: haematoma."),
        ("plane", "Axial CT of the liver with a cyst.", "Coronal CT image of a hepatic cyst."),
        ("negation", "MRI of the knee with a torn ACL.", "The anterior cruciate ligament is intact."),
        ("negation", "The splenic vein is not patent.", "Patent splenic vein."),
        ("modality", "MR angiography of a vertebral artery aneurysm.", "DSA: aneurysm of the vertebral artery."),
        ("number", "A nodule of the lung grew from 4 to 6 mm.", "The lung nodule measured 4 mm, and now 9 mm."),
        ("number", "Collection of 6 x 2 cm in the neck.", "Abscess of the neck, 30 x 20 mm, a collection."),
    ],
)
def test_a_difference_from_the_evidence_is_named(kind: str, text: str, evidence: str) -> None:
    (found,) = conflicts(text, "Blood vessel of a mouse.", evidence)
    assert (found.kind, found.said, found.against, found.evidence) == (kind, text, evidence, 2)


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("Stone in the left kidney, 20 mm.", "Left renal calculus of 2 cm."),
        ("Pleural effusion on the left.", "Bilateral pleural effusions."),
        ("Blood smear with about 15 red cells.", "Blood smear with about 16 red cells."),
        ("Blood smear with ~15 red cells.", "Blood smear with 16 red cells."),
        ("Blood smear with no platelets.", "Blood smear with 18 red cells and 0 platelets."),
        ("Blood smear without white cells.", "Blood smear, 0 white cells."),
        ("A mass of approximately 9 cm in the liver.", "Hepatic mass measuring 10 cm."),
        ("The right atrium is dilated.", "The left ventricle is dilated."),
        ("A mass in the left kidney and a cyst in the right.", "Mass of the left kidney; the right has a cyst."),
        ("No effusion is seen.", "The effusion has resolved."),
        ("No fracture of the femur.", "Radiograph of the femur with a plate."),
        ("Lesions of 12 mm and 30 mm in the liver.", "CT of the liver with a 3 cm lesion and one of 1.2 cm."),
        ("PET/CT with uptake in the lung.", "CT of the lung with a nodule."),
        ("T2-weighted image of the brain with an infarct.", "MRI of the brain with an infarct."),
        ("Stone in the left kidney.", "Another patient has a stone in the right kidney."),
        ("Axial CT of the knee.", "Sagittal MRI of the brain."),
        ("No labral tear of the hip.", "The labrum of the hip is intact."),
        ("The liver is of normal size.", "The liver is not enlarged."),
        ("The pneumothorax has not recurred.", "No recurrent pneumothorax."),
        ("MRI of a 60-year-old woman with a glioma.", "Glioma two years after surgery, MRI."),
        ("A right-handed man with a tumour of the left insula.", "Tumour of the left insula."),
        ("CT without contrast showing a ureteral stone.", "Stone in the ureter on CT."),
        ("Tumour cells negative for CK7.", "CK7 is not expressed by the tumour cells."),
        ("The mass shrank from 6 cm to 25 mm on CT of the adrenal.", "CT: adrenal mass of 2.5 cm (previously 6 cm)."),
        ("Sagittal MRI of a spinal cyst. Axial images confirmed it.", "Spinal cyst, sagittal MRI."),
        ("CT of the liver with a cyst. An ultrasound had been normal.", "Cyst of the liver on CT."),
        ("Cyst of 3 cm in the left kidney. A cyst of 1 cm lies in the right kidney.", "Left renal cyst, 3 cm."),
        ("No fracture line is visible in the tibia.", "The tibial fracture has healed."),
        ("Cells with a bar of 10 um as scale bar.", "Cells, scale bar 50 um."),
    ],
)
def test_what_can_both_be_so_is_left_alone(text: str, evidence: str) -> None:
    assert conflicts(text, evidence) == ()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("side", "A mass in the left breast. The mass in the right breast is spiculated."),
        ("negation", "There is a pleural effusion. No effusion is seen."),
        ("number", "A lesion of 3 cm. The lesion measures 5 cm."),
        ("modality", "CT of the chest. The MR image shows a nodule of the lung."),
        ("plane", "Sagittal MRI of the pelvis with an effusion. On this coronal image both femoral heads are seen."),
        ("side", "Mammogram of the right breast. A mass is seen behind the nipple of the left breast."),
        ("side", "There is a fracture of the left clavicle. Plate fixation of the right clavicle is planned."),
        (
            "negation",
            "Echocardiography shows no pericardial effusion. The effusion is largest behind the left ventricle.",
        ),
        (
            "negation",
            "A pleural effusion is seen. The costophrenic angles are sharp on both sides.",
        ),
        ("number", "Three nodules are seen in the left lung. Both of them are well defined."),
        ("number", "The image contains 20 nuclei. Of the twelve nuclei, five are in mitosis."),
        ("number", "The thyroid nodule is 24 mm wide. Having a width of only 9 mm, it needs no biopsy."),
    ],
)
def test_a_text_that_contradicts_itself_is_named_once(kind: str, text: str) -> None:
    (found,) = conflicts(text)
    assert (found.kind, found.evidence) == (kind, None)
    assert found.said in text
    assert found.against in text


@pytest.mark.parametrize(
    "text",
    [
        "Stone in the left kidney. The right kidney is normal.",
        "A mass of 3 cm. A second lesion measures 1 cm.",
        "Axial CT of the chest. The sagittal reformation is not shown.",
        "The initial effusion was large. On follow-up no effusion is seen.",
        "Abscess of the right psoas muscle. The left psoas muscle is free of abscess.",
        "The lesion does not enhance. Lack of enhancement favours an epidermoid cyst.",
        "A polyp of the gallbladder measures 8 mm. The wall of the gallbladder is 2 mm thick.",
        "Bilateral pleural effusions. The effusion on the left is larger.",
        "Apical view of the heart. LA: left atrium. RA: right atrium.",
        "Thrombus in the mesenteric vein. No thrombus in the portal vein. The clot in the mesenteric vein is long.",
        "Scale bar: 1 um. (B) Section of the nucleus, scale bar: 0.5 um.",
    ],
)
def test_two_sentences_of_two_things_are_left_alone(text: str) -> None:
    assert conflicts(text) == ()


def test_a_denial_in_part_says_nothing_of_the_whole() -> None:
    assert not conflicts("No new nodules are seen in the lung.", "CT of the lung without nodules.")
    assert not conflicts("CT of the lung without nodules.", "No new nodules are seen in the lung.")


def test_evidence_that_agrees_and_is_as_close_outweighs_evidence_that_differs() -> None:
    left, right = "Cyst of the left kidney.", "Cyst of the right kidney."
    assert [found.evidence for found in conflicts(left, right)] == [1]
    assert conflicts(left, right, left) == ()
