"""Names of licences as people and archives write them, and which of them are one family."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from indexer.licenses import allowed, is_stated, license_of

SPELLINGS = {
    "CC BY": [
        "CC BY", "cc by", "CC-BY", "CCBY", "CC_BY", "CC BY 4.0", "CC-BY-4.0", "cc-by-4.0", "CC BY 2.5", "CC-BY-3.0-DE",
        "CC-BY-3.0-IGO", "CC BY 4.0 International", "CC BY License", "Creative Commons Attribution",
        "Creative Commons Attribution 4.0 International", "Creative Commons Attribution License (CC BY 4.0)",
        "Attribution 4.0 International (CC BY 4.0)", "http://creativecommons.org/licenses/by/3.0/",
        "https://creativecommons.org/licenses/by/4.0/", "https://creativecommons.org/licenses/by/4.0/legalcode",
        "creativecommons.org/licenses/by/3.0/us/deed.en", "CC\u00a0BY\u00a04.0", "CC\u2011BY\u20134.0",
        "CC BY [Rückert et al. (2022)]", "CC BY [Muacevic et al.]", "\uff23\uff23 \uff22\uff39",
        "This is an open access article distributed under the terms of the Creative Commons Attribution License "
        "(http://creativecommons.org/licenses/by/2.0), which permits unrestricted use, distribution, and reproduction "
        "in any medium, provided the original work is properly cited.",
    ],
    "CC BY-SA": ["CC BY-SA", "CC-BY-SA-4.0", "CC BY-SA 4.0", "Creative Commons Attribution-ShareAlike 3.0 Unported",
                 "https://creativecommons.org/licenses/by-sa/4.0/deed.en", "CC BY Share Alike"],
    "CC BY-ND": ["CC BY-ND", "CC-BY-ND-4.0", "Creative Commons Attribution-NoDerivs",
                 "Creative Commons Attribution No Derivatives 4.0", "CC BY no derivative works"],
    "CC BY-NC": [
        "CC BY-NC", "CC BY NC", "CCBYNC", "CC-BYNC", "cc by-nc 4.0", "CC\u2013BY\u2013NC", "CC BY / NC", "CC BY (NC)",
        "CC BY-NC [Smith et al. (2019)]", "CC BY NonCommercial", "CC BY 4.0, non-commercial use",
        "Creative Commons Attribution-NonCommercial", "Creative Commons Attribution Non Commercial 4.0 International",
        "http://creativecommons.org/licenses/by-nc/3.0/",
        "This is an Open Access article distributed under the terms of the Creative Commons Attribution License "
        "(http://creativecommons.org/licenses/by/3.0/), which permits unrestricted non-commercial use, distribution, "
        "and reproduction in any medium, provided the original work is properly cited.",
    ],
    "CC BY-NC-SA": ["CC BY-NC-SA", "CC BY-NC-SA 4.0", "CC-BY-NC-SA-3.0-IGO", "CC BY SA NC",
                    "Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International License",
                    "https://creativecommons.org/licenses/by-nc-sa/4.0"],
    "CC BY-NC-ND": ["CC BY-NC-ND", "CC-BY-NC-ND-4.0", "Creative Commons Attribution-NonCommercial-NoDerivatives",
                    "http://creativecommons.org/licenses/by-nd-nc/1.0/"],
    "CC0": ["CC0", "CC0 1.0", "CC0-1.0", "cc0-1.0", "CC 0", "CC Zero", "Creative Commons Zero v1.0 Universal",
            "https://creativecommons.org/publicdomain/zero/1.0/",
            "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication"],
    "public domain": ["public domain", "Public Domain Mark 1.0", "PD", "CC-PDDC", "US Government Work",
                      "https://creativecommons.org/publicdomain/mark/1.0/"],
    "Open Government Licence": ["Open Government", "Open Government Licence v3.0", "OGL-UK-3.0", "OGL v3"],
    "MIT": ["MIT", "mit", "The MIT License (MIT)", "MIT License"],
    "Apache": ["Apache-2.0", "Apache License, Version 2.0", "Apache 2.0"],
    "BSD": ["BSD-3-Clause", "3-clause BSD", "New BSD License", "BSD-2-Clause"],
    "GPL": ["GPL-3", "GPLv3", "GPL-3.0-only", "GPL-2.0+", "GNU General Public License v3.0"],
    "LGPL": ["LGPL-2.1-or-later"],
    "AGPL": ["AGPL-3.0-only"],
    "ODbL": ["ODbL-1.0", "Open Database License (ODbL) 1.0".replace(" (ODbL)", "")],
    "ODC-By": ["ODC-By-1.0", "Open Data Commons Attribution License v1.0"],
    "PDDL": ["PDDL-1.0"],
}  # fmt: skip

NOT_UNDERSTOOD = [
    "CC BY N.C.", "CC BY\u200b-NC", "CC BY \U0001f10f", "CC BY for research", "CC BY, no commercial use",
    "CC BY 4.0 no reproduction", "CC BY 4.0, all rights reserved", "CC BY NonCom", "CC BY or MIT", "CC BY-NC-SA-ND",
    "CC NC", "BY", "C\u0421 BY", "MIT for the questions; the images belong to their publishers", "CC Sampling+",
    "http://arxiv.org/licenses/nonexclusive-distrib/1.0/", "Copyright 2001 Lung Press.", "NC",
    "\u00a9 2020 Elsevier. All rights reserved.", "https://creativecommons.org/licenses/by/4.0/ (figures excepted)",
]  # fmt: skip

UNSTATED = [
    None, "", " ", "not stated", "Not stated", "unknown: web page", "see url", "NO-CC CODE", "none", "n/a",
    "not stated; NLM: PubMed abstracts may be protected by copyright",
]  # fmt: skip


@pytest.mark.parametrize(("family", "name"), [(family, name) for family, names in SPELLINGS.items() for name in names])
def test_a_licence_is_known_however_it_is_written(family: str, name: str) -> None:
    found = license_of(name)
    assert found is not None
    assert found.family == family
    assert {other for other in SPELLINGS if allowed(name, [other])} == {family}


@pytest.mark.parametrize("name", [*NOT_UNDERSTOOD, *UNSTATED])
def test_what_is_not_understood_whole_is_no_licence_one_knows(name: str | None) -> None:
    assert license_of(name) is None
    assert not allowed(name, list(SPELLINGS))


@pytest.mark.parametrize("name", UNSTATED)
def test_what_states_no_licence_is_never_allowed(name: str | None) -> None:
    assert not is_stated(name)
    assert not allowed(name, [name or "", "not stated", "CC BY"])


def test_a_licence_of_ones_own_is_allowed_by_its_words() -> None:
    assert allowed("Our  Data-Use Agreement", ["our data use agreement"])
    assert not allowed("Our Data Use Agreement, annex", ["our data use agreement"])


def test_the_terms_are_those_of_the_name() -> None:
    found = license_of("CC BY-NC-SA 4.0")
    assert found is not None
    assert found.terms == ("attribution", "non-commercial", "share alike")
    assert getattr(license_of("CC0"), "terms", None) == ()


def test_real_archives_names_are_understood_or_state_nothing(shared_data: Path) -> None:
    lines = (shared_data / "text" / "roco_captions.jsonl").read_text(encoding="utf-8").splitlines()
    names = {json.loads(line)["license"] for line in lines}
    assert len(names) > 5
    assert {name for name in names if license_of(name) is None} == {"NO-CC CODE"}
    assert {name for name in names if allowed(name, ["CC BY"])} == {"CC BY"}
