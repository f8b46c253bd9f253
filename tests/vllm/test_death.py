"""A server that dies in mid-stream, by force or by order: the stream breaks, and no half answer passes for a whole.

Before that it is full, and says so."""

from __future__ import annotations

import asyncio
import signal
from contextlib import aclosing

import pytest

from engines.contract import ask, soon
from engines.real_vllm import Installation, VLLMServer, text_server
from llm_providers import VLLMProvider
from llm_providers.errors import Overloaded, ProviderError, StreamBroken, Timeout, Unavailable
from llm_providers.types import ChatEvent, Done, Token

pytestmark = pytest.mark.vllm

STREAMS = 4


@pytest.fixture
def doomed(vllm_installation: Installation) -> VLLMServer:
    return text_server(vllm_installation, "--max-num-queued-reqs", str(STREAMS))


@pytest.mark.parametrize("what", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "SIGTERM"])
async def test_dying_in_mid_stream_breaks_every_stream(doomed: VLLMServer, what: signal.Signals) -> None:
    with doomed:
        async with aclosing(VLLMProvider(doomed.url, doomed.served_as)) as provider:
            flowing = [asyncio.Event() for _ in range(STREAMS)]
            events: list[list[ChatEvent]] = [[] for _ in range(STREAMS)]

            async def consume(place: int) -> None:
                async for event in provider.chat(ask(f"stream {place}", max_tokens=3900), soon()):
                    events[place].append(event)
                    if isinstance(event, Token) and len(events[place]) > 4:
                        flowing[place].set()

            tasks = [asyncio.create_task(consume(place)) for place in range(STREAMS)]
            await asyncio.wait_for(asyncio.gather(*[event.wait() for event in flowing]), 30)
            with pytest.raises(Overloaded):
                await anext(provider.chat(ask("one too many"), soon()))
            doomed.send(what)
            errors = await asyncio.gather(*tasks, return_exceptions=True)
            # A killed server closes its sockets. One that is told to stop may also fall silent before it does.
            kinds = (StreamBroken,) if what is signal.SIGKILL else (StreamBroken, Timeout)
            assert all(isinstance(error, kinds) for error in errors), errors
            assert not any(isinstance(event, Done) for stream in events for event in stream)
            with pytest.raises(ProviderError) as caught:
                await anext(provider.chat(ask(), soon()))
            assert isinstance(caught.value, Unavailable)
