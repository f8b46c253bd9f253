"""What becomes of each kind of finding, by setting."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from llm_providers.settings import EnvironmentSettings

Mode: TypeAlias = Literal["flag", "redact", "block"]


class OutputGuardSettings(EnvironmentSettings):
    """Of what a model wrote: flagged in the warnings, made harmless, or the whole answer withheld."""

    guard_prompt: Mode = Field("block", description="The rules that the model was given, repeated in an answer")
    guard_secrets: Mode = Field(
        "redact", description="Keys, tokens and private keys that no document of the answer holds"
    )
    guard_addresses: Mode = Field(
        "redact", description="Addresses, paths and traces of the inside that no document holds"
    )
    guard_links: Mode = Field("redact", description="Images and links that no document of the answer holds")
    guard_html: Mode = Field("redact", description="HTML tags")
