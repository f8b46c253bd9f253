"""What a scripted engine can be told to do wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One misbehaviour; `after` counts the pieces of an answer sent before it strikes."""

    kind: str
    after: int = 2
    status: int = 503
    message: str = "engine is currently busy"
    headers: dict[str, str] = field(default_factory=dict)
    amount: int = 0
    seconds: float = 0.0

    @classmethod
    def busy(cls, message: str = "engine is currently busy") -> Fault:
        return cls("status", status=503, message=message)

    @classmethod
    def refused(cls, status: int, message: str, **headers: str) -> Fault:
        return cls(
            "status", status=status, message=message, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    @classmethod
    def rate_limited(cls, retry_after: float) -> Fault:
        return cls("status", status=429, message="too many requests", headers={"Retry-After": f"{retry_after:g}"})

    @classmethod
    def loading(cls) -> Fault:
        return cls("status", status=503, message="the model is loading")

    @classmethod
    def cut(cls, after: int = 2) -> Fault:
        """Close the socket; with `after=0` before any header."""
        return cls("cut", after=after)

    @classmethod
    def no_end(cls, after: int = 2) -> Fault:
        """End the response properly, but without the dialect's terminal event."""
        return cls("no_end", after=after)

    @classmethod
    def abort(cls, after: int = 2) -> Fault:
        """End the stream as vLLM does when it is told to stop: finish_reason "abort"."""
        return cls("abort", after=after)

    @classmethod
    def error_line(cls, after: int = 2, message: str = "engine died") -> Fault:
        return cls("error_line", after=after, message=message)

    @classmethod
    def malformed(cls, after: int = 2) -> Fault:
        """Send a line (or a body) that is not JSON."""
        return cls("malformed", after=after)

    @classmethod
    def hang(cls, after: int = 0) -> Fault:
        """Send nothing more, and keep the socket open."""
        return cls("hang", after=after)

    @classmethod
    def truncated(cls, keep: int) -> Fault:
        """See only the last `keep` tokens of the prompt, and say nothing about it."""
        return cls("truncated", amount=keep)

    @classmethod
    def other_vectors(cls, seed: int = 1) -> Fault:
        """Answer with the vectors of another model."""
        return cls("other_vectors", amount=seed)

    @classmethod
    def broken_json(cls) -> Fault:
        """End an answer under a schema properly, in the middle of its JSON."""
        return cls("broken_json")

    @classmethod
    def slow(cls, seconds: float) -> Fault:
        """Think for a while before the first token."""
        return cls("slow", seconds=seconds)

    @classmethod
    def short(cls, tokens: int = 3) -> Fault:
        """Stop after a few tokens and say that the limit was reached."""
        return cls("short", amount=tokens)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Fault:
        return cls(**data)
