"""Make a random-weight Llama of 3 M parameters: the whole protocol can be proved with it, and no answer means anything.

Runs in the environment of vLLM, not in the project's.

usage: make_model.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
SPACE = "Ġ"
"""How byte-level BPE writes a space."""
TEXT = [
    "The ferry to the island leaves at nine in the morning and at four in the afternoon.",
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.",
    '{"title": "meeting", "kind": "lecture", "points": ["one", "two"]}',
] * 50


def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE: whatever it is given, it can write down."""
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    special = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bare.train_from_iterator(
        TEXT, trainers.BpeTrainer(vocab_size=1000, special_tokens=special, initial_alphabet=alphabet)
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bare, eos_token="<|end|>", pad_token="<|end|>", chat_template=TEMPLATE
    )


def main(folder: Path) -> None:
    torch.manual_seed(0)
    words = tokenizer()
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        eos_token_id=words.eos_token_id,
        bos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        torch_dtype="float32",
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        # It never ends an answer of its own accord: far from every other token's score, the end's is nought.
        model.lm_head.weight.mul_(10)
        model.lm_head.weight[words.eos_token_id] = 0
        # Nor does it write halves of characters, or nothing but white space: a server would hold those back for long.
        for token, place in words.get_vocab().items():
            if not all("!" <= character <= "~" or character == SPACE for character in token) or token == SPACE:
                model.lm_head.weight[place] = 0
    model.save_pretrained(folder)
    words.save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
