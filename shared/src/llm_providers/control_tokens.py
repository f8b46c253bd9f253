"""Control tokens of chat templates, kept out of what documents, users and clients write.

An engine turns `<|im_end|>` in any text into the end of a turn, also in a document or a question. The brackets of such a token
are therefore replaced by brackets that no tokenizer knows: `‹|im_end|›` reads the same, and `restored` gives it back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from llm_providers.prompting import strip_hidden
from llm_providers.types import ChatRequest, Message, Source

_MASK, _UNMASK = str.maketrans("<>[]", "‹›⁅⁆"), str.maketrans("‹›⁅⁆", "<>[]")
# ChatML, Qwen, Llama 3, Phi, Cohere, Granite, harmony, Kimi; DeepSeek and Hunyuan have bars of full width.
_BARRED = r"<[|｜][^<>|｜\n]{1,64}[|｜]>"
# Gemma, T5, GLM and the general ones of SentencePiece; what reasoning, tools and pictures begin and end with.
_NAMED = (
    r"</?(?:s|unk|pad|bos|eos|mask|sep|cls|sop|eop|eod|eot|start_of_turn|end_of_turn|start_of_image|end_of_image|"
    r"image_soft_token|image|img|image_pad|video|video_pad|audio|audio_pad|think|thinking|thought|reasoning|tool_call|"
    r"tool_calls|tool_response|tool_responses|tools|function_call|function_response|begin_of_text|end_of_text|sys|"
    r"fim_prefix|fim_middle|fim_suffix|unused\d{1,4}|extra_id_\d{1,4}|reserved_special_token_\d{1,4})>"
)
_DOUBLED = r"<</?SYS>>"
# Llama 2, Mistral, GLM, BERT.
_SQUARE = (
    r"\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|CALL_ID|ARGS|IMG|IMG_BREAK|IMG_END|AUDIO|"
    r"THINK|MODEL_SETTINGS|PREFIX|MIDDLE|SUFFIX|gMASK|sMASK|MASK|CLS|SEP|PAD|UNK|BOS|EOS|control_\d{1,4})\]"
)
_FAMILIES = "|".join((_BARRED, _DOUBLED, _NAMED, _SQUARE))
_KNOWN = re.compile(_FAMILIES, re.IGNORECASE)
_MASKED = re.compile(
    _FAMILIES.replace(r"\[", "⁅").replace(r"\]", "⁆").replace("<", "‹").replace(">", "›"), re.IGNORECASE
)
_IN_TEMPLATE = re.compile(r"<[^<>\s'\"{}]{1,64}>|\[/?[A-Z_]{2,32}\]")
"""What looks like a control token in a chat template, between its own Jinja or Go markup."""


def masked(text: str, own: frozenset[str] = frozenset()) -> str:
    """Return a text whose control tokens, of any known family or among the model's `own`, are none for a tokenizer."""
    text = _KNOWN.sub(lambda match: match.group().translate(_MASK), text)
    for token in own:
        text = text.replace(token, token.translate(_MASK))
    return text


def restored(text: str) -> str:
    """Return a text as it was before `masked`."""
    return _MASKED.sub(lambda match: match.group().translate(_UNMASK), text)


def tokens_of_template(*texts: object) -> frozenset[str]:
    """Return the control tokens of a model as its chat template, and its tokens for beginning and end, name them."""
    found = (match for text in texts if isinstance(text, str) for match in _IN_TEMPLATE.findall(text))
    return frozenset(token for token in found if token.translate(_MASK) != token)


def without_control_tokens(request: ChatRequest, own: frozenset[str] = frozenset()) -> ChatRequest:
    """Return a request none of whose texts can open or close a turn: system prompt, question, sources and earlier answers alike."""
    messages = tuple(_message(message, own) for message in request.messages)
    return replace(request, messages=messages, prefix=masked(request.prefix, own))


def _message(message: Message, own: frozenset[str]) -> Message:
    # What a reader does not see may not join or split a token, in any text.
    sources = tuple(_sources(message.sources, own))
    return replace(message, content=masked(strip_hidden(message.content), own), sources=sources)


def _sources(sources: Iterable[Source], own: frozenset[str]) -> Iterable[Source]:
    for source in sources:
        title, text = strip_hidden(source.title), strip_hidden(source.text)
        yield Source(source.label, masked(title, own), masked(text, own))
