"""What clients of the format send, taken as widely as they send it; what is not honoured is refused in `parameters`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rag_service.tables import GroundingMode

Stop = Annotated[str, Field(min_length=1, max_length=200)]


class ImageUrl(BaseModel):
    url: str
    detail: str | None = Field(None, description="Of no effect: the model gets the image as it is")


class ContentPart(BaseModel):
    """A part of a message: `text`, `refusal` (an assistant's), or `image_url` (a user's, as a `data:` URL)."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | None = None


class Function(BaseModel):
    name: str
    arguments: str = ""


class ToolCall(BaseModel):
    function: Function | None = None


class ChatMessage(BaseModel):
    """A turn of the conversation; what tools were asked and what they answered is read as text."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None
    name: str | None = Field(None, description="Of a function; a participant's name is not shown to the model")
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = None


class StreamOptions(BaseModel):
    """`include_obfuscation` is without effect: nothing is padded."""

    include_usage: bool = False


class JsonSchema(BaseModel):
    """`strict` has no effect, since the answer must always match the schema; a `description` beside the schema has none either."""

    model_config = ConfigDict(populate_by_name=True)
    name: str = "answer"
    schema_: dict[str, Any] = Field(alias="schema")


class ResponseFormat(BaseModel):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class CompletionIn(BaseModel):
    """A chat request.

    Without effect, because they change nothing about the answer: `user`, `metadata`, `store`, `service_tier`,
    `safety_identifier`, `prompt_cache_key`, `prompt_cache_retention`, `prediction`, `parallel_tool_calls`. Any other
    parameter that is not listed is refused.
    """

    model_config = ConfigDict(extra="allow")
    model: str = Field(description="The name of a collection, or `switchyard/direct`")
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1, le=8192)
    max_completion_tokens: int | None = Field(None, ge=1, le=8192)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    response_format: ResponseFormat | None = Field(None, description="`switchyard/direct` only, except for `text`")
    grounding: GroundingMode | None = Field(
        None, description="An addition of ours, for collections: what becomes of sentences that no passage supports"
    )
    graph: bool | None = Field(
        None, description="Another, for collections: what their graph joins with the question's names is searched too"
    )


class EmbeddingsIn(BaseModel):
    """Texts to embed; `user` is without effect, and any parameter that is not listed is refused."""

    model_config = ConfigDict(extra="allow")
    model: str = Field(
        description="`switchyard/embeddings`, a collection, or the name of the model of an index; a collection's vectors "
        "are those of its index"
    )
    input: Any = Field(description="A text, or a list of texts; tokens are refused", examples=["What is wrong?"])
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = Field(None, description="Only the model's own number is accepted")
    input_type: Literal["document", "query"] = Field(
        "document", description="An addition of ours: some models embed questions differently"
    )
