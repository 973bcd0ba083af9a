"""The forms that images are sent in. Images are bytes: a path or an address in their place is refused."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, UploadFile
from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.asked import MOST_EXCHANGES, Choice, Label, Question, SchemaText, Upload, said_name
from service.errors import Unusable

MULTIPART = Form(media_type="multipart/form-data")
_FRAME = Field(ge=1, le=10**6, description="Which frame or slice of a file of several, counted from 1.")


class OneImage(Choice):
    """One image, and how it is to be described."""

    image: Annotated[UploadFile, Field(description="The image file: PNG, JPEG, TIFF, DICOM, NIfTI, ...")]
    frame: Annotated[int | None, _FRAME] = None

    async def upload(self) -> Upload:
        """Its bytes, read into memory. Raises Unusable."""
        return await read(self.image, self.frame)


class CaptionForm(OneImage):
    """An image to describe."""

    article: Annotated[
        str | None, Field(max_length=200, description="Its case or PMCID; evidence from it is left out.")
    ] = None


class ExtractForm(OneImage):
    """A document to copy fields from."""

    json_schema: Annotated[SchemaText, Field(alias="schema", description="A JSON Schema, as JSON text.")]


class AskForm(Choice):
    """One or more images, and a question about all of them together."""

    image: Annotated[list[UploadFile], Field(min_length=1, description="The image files.")]
    question: Annotated[Question, Field(description="What to answer.")]
    labels: Annotated[
        list[Label], Field(max_length=50, default_factory=list, description="Answers to choose from; repeat it.")
    ]
    article: Annotated[str | None, Field(max_length=200, description="Their case or PMCID.")] = None
    history: Annotated[
        str | None,
        Field(
            max_length=100_000,
            description=f"What was asked and answered about these images before, oldest first, {MOST_EXCHANGES} at "
            'most, as JSON text: [{"question": ..., "answer": ...}, ...].',
        ),
    ] = None

    async def uploads(self) -> list[Upload]:
        """Their bytes, read into memory. Raises Unusable."""
        return [await read(file) for file in self.image]


class AnalyzeForm(Choice):
    """One or more images, and an instruction of any kind."""

    image: Annotated[list[UploadFile], Field(min_length=1, description="The image files.")]
    instruction: Annotated[Question, Field(description="What to do, in any words.")]

    async def uploads(self) -> list[Upload]:
        """Their bytes, read into memory. Raises Unusable."""
        return [await read(file) for file in self.image]


class SearchForm(BaseModel):
    """An image, or a text, to search an index by."""

    model_config = ConfigDict(extra="forbid")

    image: Annotated[UploadFile | None, Field(description="Nearest examples to this image.")] = None
    frame: Annotated[int | None, _FRAME] = None
    text: Annotated[Question | None, Field(description="Nearest passages, and nearest examples, to this text.")] = None
    k: Annotated[int, Field(ge=1, le=100, description="How many of each kind.")] = 5
    index: Annotated[str | None, Field(description="An index that `GET /choices` names.")] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> SearchForm:
        if (self.image is None) == (self.text is None):
            raise ValueError("give either image or text")
        return self


async def read(file: UploadFile, frame: int | None = None) -> Upload:
    """A file that was sent. Raises Unusable where it is empty."""
    data = await file.read()
    if not data:
        raise Unusable("image: the file is empty")
    return Upload(said_name(file.filename), data, frame)
