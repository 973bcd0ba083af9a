"""An input's records -> items: each with its id, its images, what is asked of them, and a stamp."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from batch.errors import InputError
from batch.inputs.cells import cells, image_refs, is_text
from batch.inputs.kinds import listing_of
from batch.inputs.listing import Listing, Reading
from batch.inputs.options import Fields, InputOptions, fields_of, request_of
from batch.inputs.stamps import ABSENT, Stamps
from batch.types import Item, Unusable
from imaging.names import without_ending
from indexer.errors import SourceError
from indexer.sources.rows import BadRow, Row
from indexer.sources.table import Table, text_of

_DEFAULTS = InputOptions()


def open_input(text: str, options: InputOptions = _DEFAULTS) -> ReadInput:
    """What `text` names: a folder, glob pattern, zip, record file, index or hub data set, or one image.

    Raises InputError where there is no such thing; what is wrong in it shows when it is iterated.
    """
    try:
        return ReadInput(text, listing_of(text), options)
    except SourceError as error:
        raise InputError(str(error)) from error


class ReadInput:
    """An Input. Paths of its images are absolute. `notes` are lines for people, of the last iteration.

    An image that is not there makes an item like any other (stamp "absent"), so that what reads it says what is wrong
    and a later run does it. Iterating raises InputError where it begins, or at its end where nothing in it can be
    described: no record usable, no image there, or more records with an id that others have than without.
    """

    def __init__(self, text: str, listing: Listing, options: InputOptions) -> None:
        self.name = text
        self.notes: list[str] = []
        self._listing = listing
        self._options = options

    def __iter__(self) -> Iterator[Item | Unusable]:
        self.notes = []
        try:
            yield from self._items()
        except SourceError as error:
            raise InputError(str(error)) from error

    def _items(self) -> Iterator[Item | Unusable]:
        listing = self._listing
        fields = fields_of(listing, self._options)
        if fields.id is None:
            ids = "the rows' places" if listing.placed else "their paths"
            self.notes.append(f"{listing.path}: no field id; images are known by {ids}. Name one with --field id=NAME")
        records = _Records(listing, self._options, fields)
        where = self._options.allowed
        table = Table(
            listing.path,
            fields.wanted,
            where,
            rows=lambda needed: listing.rows(Reading(needed, self.notes.append, where)),
            columns=listing.columns if listing.declared else (),
        )
        for row in table.checked():
            yield records.made_of(row)
        records.check()


@dataclass
class _Records:
    """Makes items of an input's records, and counts what came of them."""

    listing: Listing
    options: InputOptions
    fields: Fields
    places: dict[str, str] = field(default_factory=dict)
    stamps: Stamps = field(default_factory=Stamps)
    there: int = 0
    absent: str = ""
    usable: int = 0
    repeated: int = 0
    first_repeated: Unusable | None = None
    first_unusable: Unusable | None = None

    def __post_init__(self) -> None:
        self.articles: Mapping[str, str] = self.listing.articles()

    def made_of(self, row: Row | BadRow) -> Item | Unusable:
        """The item of a record, or why there is none."""
        made = Unusable(row.place, row.reason) if isinstance(row, BadRow) else self._made(row)
        id_ = made.request.id if isinstance(made, Item) else made.id
        if id_ in self.places:
            made = self._again(id_, row.place)
        elif isinstance(made, Item):
            self.usable += 1
        self.places[made.request.id if isinstance(made, Item) else made.id] = row.place
        if isinstance(made, Unusable):
            self.first_unusable = self.first_unusable or made
        return made

    def _again(self, id_: str, place: str) -> Unusable:
        """What becomes of a record whose id another has already."""
        number = len(self.places) + 1  # each record so far has left one
        own = place if place not in self.places else f"record {number}"
        while own in self.places:
            own += "'"
        at = "an earlier record" if self.places[id_] == place else self.places[id_]
        made = Unusable(own, f"its id {id_!r} is that of {at}; each record needs an id of its own")
        self.repeated += 1
        self.first_repeated = self.first_repeated or made
        return made

    def _made(self, row: Row) -> Item | Unusable:
        values, fields = row.values, self.fields
        id_ = text_of(values, fields.id)
        article = text_of(values, fields.article)
        images: tuple[str, ...] = ()
        try:
            refs = image_refs(values, fields.image, self.listing.root)
            images = tuple(str(ref) for ref in refs)
            if fields.id is None:
                id_ = row.place if self.listing.placed else without_ending(str(cells(values, fields.image)[0]))
            if id_ is None:
                raise ValueError(f"{fields.id} is missing")
            article = article or self.articles.get(id_)
            request = request_of(self.options, fields, values, id_, images, article)
            if not is_text("".join((id_, article or "", request.question, *request.labels, *images))):
                id_ = article = None
                images = ()
                raise ValueError("holds half a character (a lone surrogate), which no file of results can")
        except ValueError as error:
            return Unusable(id_ or row.place, str(error), "".join(images[:1]), article)
        stamps = [self.stamps.of(ref) for ref in refs]
        self.there += any(stamp != ABSENT for stamp in stamps)
        self.absent = self.absent or next((i for i, s in zip(images, stamps, strict=True) if s == ABSENT), "")
        return Item(request, "+".join(stamps))

    def check(self) -> None:
        """Raises InputError where nothing of the input can be described, or its ids are none."""
        path = self.listing.path
        twice, bad = self.first_repeated, self.first_unusable
        if twice is not None and self.repeated > self.usable:
            raise InputError(
                f"{path}: {self.fields.id or 'the path'} is no id: {self.repeated:,} records have one that others have "
                f"({twice.id}: {twice.reason}). Name another field with --field id=NAME"
            )
        if not self.usable and bad is not None:
            raise InputError(f"{path}: none of its records can be used. The first: {bad.id}: {bad.reason}")
        if self.usable and not self.there:
            raise InputError(
                f"{path}: none of its {self.usable:,} images is there; the first: {self.absent}. Relative paths start "
                f"in {self.listing.root}"
            )
