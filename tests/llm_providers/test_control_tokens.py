"""Nothing that a document, a user or a client writes reaches a model as a control token."""

from __future__ import annotations

import re
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines import LlamaCppEngine, OllamaEngine, OpenAIEngine
from llm_providers import OllamaProvider, VLLMProvider
from llm_providers.completion import complete
from llm_providers.control_tokens import masked, restored, tokens_of_template, without_control_tokens
from llm_providers.deadline import Deadline
from llm_providers.prompting import strip_hidden
from llm_providers.types import ChatRequest, Message, Source

FAMILIES = {
    "ChatML": ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|vision_start|>", "<|image_pad|>"],
    "Llama 3": ["<|begin_of_text|>", "<|start_header_id|>", "<|eot_id|>", "<|python_tag|>"],
    "Llama 2": ["[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<s>", "</s>"],
    "Gemma": ["<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<bos>", "<eos>"],
    "Phi": ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"],
    "Mistral": ["[AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[TOOL_RESULTS]", "[SYSTEM_PROMPT]", "[IMG]", "[/THINK]"],
    "DeepSeek": ["<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<｜tool▁calls▁begin｜>"],
    "GLM": ["[gMASK]", "<sop>", "<|observation|>"],
    "harmony": ["<|start|>", "<|channel|>", "<|message|>", "<|return|>"],
    "images": ["<image>", "<img>", "<image_soft_token>"],
    "reasoning": ["<think>", "</think>", "<thought>"],
    "tools": ["<tool_call>", "</tool_call>", "<tool_response>"],
}
TOKENS = [token for tokens in FAMILIES.values() for token in tokens]
TEMPLATE = "{{ bos }}{% for m in messages %}<turn:{{ m.role }}><begin>{{ m.content }}<finish>[STOP_HERE]{% endfor %}"


def texts_sent(body: dict[str, Any]) -> str:
    return "\n".join(str(message["content"]) for message in body["messages"])


def hostile() -> ChatRequest:
    """Every token in each place that somebody else writes, also with hidden characters in it."""
    joined = " ".join(TOKENS)
    hidden = " ".join(f"{token[0]}{mark}{token[1:]}" for token in TOKENS for mark in "\u200b\u200d\u2060\U000e0041")
    return ChatRequest(
        (
            Message("system", f"Be brief. {joined} {hidden}"),
            Message("user", f"Hello {joined} {hidden}"),
            Message("assistant", f"Hi {joined} {hidden}"),
            Message(
                "user", f"And? {joined} {hidden}", sources=(Source("1", f"T {joined} {hidden}", f"{joined} {hidden}"),)
            ),
        )
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_of_each_family_are_masked_and_given_back(family: str) -> None:
    for token in FAMILIES[family]:
        text = f"before {token}after"
        assert token not in masked(text)
        assert token.upper() not in masked(text.upper())
        assert restored(masked(text)) == text
        # Masking once more, or of what is left of a nested token, changes nothing.
        assert masked(masked(text)) == masked(text)
        assert token not in masked(f"{token[:3]}{token}{token[3:]}")


def test_ordinary_text_is_left_as_it_is() -> None:
    text = "a < b > c, x[0], [1], [note], <b>bold</b>, <p class='x'>, 3 <|> 4, ‹guillemets›, ⁅1⁆, List[INSTANCE]"
    assert masked(text) == text
    assert restored(text) == text


def test_what_hides_is_dropped_and_what_a_script_needs_stays() -> None:
    request = ChatRequest(
        (Message("user", "نمی\u200cشود 👨\u200d👩\u200d👧 a\u200db\U000e0049\U000e0067é\u200c\u200c\u200dé"),)
    )
    (message,) = without_control_tokens(request).messages
    assert message.content == "نمی\u200cشود 👨\u200d👩\u200d👧 abéé"


@given(st.text(alphabet=st.sampled_from("<>|[]/INSTim_end sk‹›"), max_size=60))
def test_no_text_keeps_a_token(text: str) -> None:
    assert not any(token in masked(text) for token in TOKENS)


@pytest.mark.parametrize("unit", ["<|", "<|a", "|>", "<", "[", "</", "<<SYS", "<｜"])
def test_masking_takes_linear_time(unit: str) -> None:
    began = process_time()
    masked(unit * 200_000)
    assert process_time() - began < 10


@pytest.mark.parametrize("kind", ["openai", "ollama"])
async def test_none_reaches_an_engine(kind: str) -> None:
    engine = OpenAIEngine(context=100_000) if kind == "openai" else OllamaEngine(context=32_768)
    with engine:
        provider = VLLMProvider(engine.url, "llama3.2") if kind == "openai" else OllamaProvider(engine.url, "llama3.2")
        await complete(provider, hostile(), Deadline.after(30))
        path = "/chat/completions" if kind == "openai" else "/api/chat"
        sent = texts_sent(engine.requests(path)[-1].body)
        await provider.aclose()
    assert [token for token in TOKENS if token in strip_hidden(sent)] == []
    assert strip_hidden(sent) == sent
    assert "‹|im_end|›" in sent


def test_a_models_own_tokens_are_read_from_its_template() -> None:
    own = tokens_of_template(TEMPLATE, "<beginning>", None)
    assert own == {"<begin>", "<finish>", "[STOP_HERE]", "<beginning>"}
    assert masked("a <finish> b", own) == "a ‹finish› b"


async def test_own_tokens_that_a_server_names_are_masked() -> None:
    request = ChatRequest((Message("user", "a <finish> b [STOP_HERE] <begin>"),))
    with OllamaEngine(context=32_768, template=TEMPLATE) as engine:
        provider = OllamaProvider(engine.url, "llama3.2")
        await complete(provider, request, Deadline.after(30))
        sent = texts_sent(engine.requests("/api/chat")[-1].body)
        await provider.aclose()
    assert re.findall(r"[<\[]\w+[>\]]", sent) == []
    with LlamaCppEngine(template=TEMPLATE) as server:
        llama = VLLMProvider(server.url, "llama3.2")
        await llama.info(Deadline.after(30))
        await complete(llama, request, Deadline.after(30))
        sent = texts_sent(server.requests("/chat/completions")[-1].body)
        await llama.aclose()
    assert re.findall(r"[<\[]\w+[>\]]", sent) == []
