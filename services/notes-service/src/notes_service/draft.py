"""The draft of a note: the schema that a model must follow, and its instructions."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Kind: TypeAlias = Literal["meeting", "lecture", "research", "general"]
Quote = Annotated[str, Field(description="The sentence of the text that says so, word for word", max_length=1000)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DraftItem(Strict):
    """A point and the sentence of the text that supports it."""

    text: str = Field(description="The point, in a sentence of your own", max_length=1000)
    quote: Quote


class DraftAction(DraftItem):
    """A task; owner and due date are copied from the text."""

    owner: str | None = Field(description="Who does it, as named in the text; null if nobody is named", max_length=200)
    due: str | None = Field(description="When it is due, as the text says it; null if it does not", max_length=200)


class Draft(Strict):
    """A model's draft for one part of a text."""

    title: str = Field(description="A title of at most twelve words", max_length=200)
    summary: str = Field(description="Three sentences that sum the text up", max_length=3000)
    decisions: list[DraftItem] = Field(description="What was decided; empty if nothing was", max_length=40)
    action_items: list[DraftAction] = Field(description="Who has to do what; empty if nobody has", max_length=60)
    key_points: list[DraftItem] = Field(description="The most important points", max_length=12)
    tags: list[str] = Field(description="Three to six words that the text is about", max_length=8)


class Overview(Strict):
    """A model's title and summary for a text, made from the summaries of its parts."""

    title: str = Field(description="A title of at most twelve words", max_length=200)
    summary: str = Field(description="Three to five sentences that sum the text up", max_length=4000)


_LOOK_FOR: dict[Kind, str] = {
    "meeting": "It is a meeting: take care of decisions and of who promised what by when.",
    "lecture": "It is a lecture: take care of definitions, results and examples.",
    "research": "It is a research text: take care of the question, the method, the findings and their limits.",
    "general": "Take care of what a reader would want to find again.",
}
_RULES = (
    "You turn a text into a structured note, in the language of the text. Use only what the text says. Every point quotes "
    "one sentence of the text word for word. Owners and due dates stand in the text or are null. What the text does not "
    "hold stays empty."
)


def instructions(kind: Kind) -> str:
    return f"{_RULES} {_LOOK_FOR[kind]}"
