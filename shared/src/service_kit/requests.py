"""Bodies of requests."""

from pydantic import BaseModel, ConfigDict


class RequestBody(BaseModel):
    """The JSON body of a request, in which an unknown field is an error: a misspelt filter must not be passed over."""

    model_config = ConfigDict(extra="forbid")
