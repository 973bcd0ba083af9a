"""What a person names as a source, found: a public set, a set of `configs/sets/`, or files of one's own."""

from __future__ import annotations

import difflib
import glob
from pathlib import Path

import configs
from finetune.errors import RecordsError
from finetune.prepare.found import Origin
from finetune.prepare.options import Options
from finetune.prepare.public import public_origin, recognised
from finetune.prepare.tables import set_origin, table_origin
from indexer.datasets.registry import SETS


def open_source(given: str, options: Options) -> Origin:
    """The records of a source: a folder, file or pattern that is there, else a name.

    Reads no record yet. Raises RecordsError and what the rooms below raise where there is no such source, or it lacks
    what is asked of it.
    """
    path = Path(given)
    if options.read_as is not None:
        if options.read_as not in SETS:
            raise RecordsError(f"--as {options.read_as}: known are {', '.join(SETS)}")
        return public_origin(options.read_as, path, options)
    if path.suffix in (".yaml", ".yml"):
        return set_origin(given, options)
    if path.exists():
        plain = not options.fields and options.task in (None, "caption", "extract") and options.schema is None
        known = recognised(path) if plain else None
        return public_origin(known, path, options) if known else table_origin(given, options)
    if given in SETS:
        return public_origin(given, Path(SETS[given].folder), options)
    sets = configs.names("sets")
    if given in sets:
        return set_origin(given, options)
    if glob.has_magic(given) or "/" in given:
        return table_origin(given, options)
    near = difflib.get_close_matches(given, [*SETS, *sets], n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise RecordsError(
        f"{given}: no such folder or file, and no set of that name.{hint} Sets: {', '.join([*SETS, *sets])}"
    )
