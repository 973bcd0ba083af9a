"""The public data sets that `data pull` fetches: what each is, under which licence, and where it lies.

A hub's `revision` is a commit where one could be confirmed in public code; `main` says "not verified" in the note, and
the commit that it was is told when it is fetched.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from indexer.errors import SourceError


@dataclass(frozen=True)
class HubPlace:
    """A data set repository of the Hugging Face hub."""

    repository: str
    revision: str

    def page(self, base: str) -> str:
        """The page where its files can be seen and fetched by hand."""
        return f"{base}/datasets/{self.repository}/tree/{self.revision}"


@dataclass(frozen=True)
class ArchivePlace:
    """A record of the Zenodo archive."""

    record: str

    def page(self, base: str) -> str:
        """The page where its files can be seen and fetched by hand."""
        return f"{base}/records/{self.record}"


@dataclass(frozen=True)
class DataSet:
    """A public data set. `files` are patterns of the names that are fetched; `folder` is where it goes by default."""

    name: str
    title: str
    license: str
    note: str
    place: HubPlace | ArchivePlace
    files: tuple[str, ...]

    @property
    def folder(self) -> str:
        return f"data/sets/{self.name}"

    def notice(self) -> str:
        """What it is and under which licence, as lines for a terminal."""
        return f"{self.name}: {self.title}\n  licence: {self.license}\n  {self.note}"


_PARQUET = ("README.md", "data/*.parquet")

SETS = {
    found.name: found
    for found in (
        DataSet(
            name="rocov2",
            title="79,789 captioned radiology images from open-access articles (archive release)",
            license="CC BY-NC-SA 4.0 for the set; each figure's own article is CC BY or CC BY-NC",
            note="Rückert et al. (2024), https://doi.org/10.1038/s41597-024-03496-6; name each figure's authors",
            place=ArchivePlace("10821435"),
            files=("*.csv", "*_images.zip"),
        ),
        DataSet(
            name="rocov2-hub",
            title="the same images as PNG in Parquet files (hub release), without their articles and attributions",
            license="CC BY-NC-SA 4.0",
            note="put license_information.csv of rocov2 beside it; revision not verified",
            place=HubPlace("eltorio/ROCOv2-radiology", "main"),
            files=_PARQUET,
        ),
        DataSet(
            name="vqa-rad",
            title="2,244 questions by clinicians about 314 radiology images, with answers",
            license="CC0 1.0",
            note="Lau et al. (2018), https://doi.org/10.1038/sdata.2018.251",
            place=HubPlace("flaviagiammarino/vqa-rad", "bcf91e7654fb9d51c8ab6a5b82cacf3fafd2fae9"),
            files=_PARQUET,
        ),
        DataSet(
            name="path-vqa",
            title="32,632 questions about pathology images, with answers",
            license="MIT for the questions; the images belong to the publishers of two textbooks and to PEIR",
            note="He et al. (2020), https://arxiv.org/abs/2003.10286",
            place=HubPlace("flaviagiammarino/path-vqa", "1685832883334b5bb5beaf4e4b333fdeecaa4ad9"),
            files=_PARQUET,
        ),
        DataSet(
            name="medpix-shortqa",
            title="13,225 short questions about teaching images of MedPix, with answers",
            license="not stated by the compiler: measure and tune on it, ship nothing made from it",
            note="revision not verified",
            place=HubPlace("adishourya/MEDPIX-ShortQA", "main"),
            files=_PARQUET,
        ),
        DataSet(
            name="mtsamples",
            title="4,999 transcribed medical reports of 40 specialties",
            license="CC0 1.0 as its compiler states; the repository it is fetched from states none",
            note="from https://mtsamples.com, compiled by Tara Boyle; revision not verified",
            place=HubPlace("NickyNicky/medical_mtsamples", "main"),
            files=("*.csv",),
        ),
    )
}
"""Every set that can be fetched, by name."""


def find_set(name: str) -> DataSet:
    """The set of that name. Raises SourceError with the near one."""
    if name in SETS:
        return SETS[name]
    near = difflib.get_close_matches(name, SETS, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise SourceError(f"unknown data set {name!r}{hint} Known: {', '.join(SETS)}")
