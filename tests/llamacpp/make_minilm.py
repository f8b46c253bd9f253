"""Write the weights of all-MiniLM-L6-v2 in llama.cpp's format, GGUF.

Runs in the environment of llama.cpp, not in the project's.

usage: make_minilm.py FOLDER SAFETENSORS_FILE
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np

NAMES = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.LayerNorm": "token_embd_norm",
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}


def tensors(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Read a safetensors file: the length of a JSON header, the header, the data."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    for name, entry in json.loads(content[8:start]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = (start + offset for offset in entry["data_offsets"])
            yield name, np.frombuffer(content[begin:end], np.float32).reshape(entry["shape"])


def name_of(name: str) -> str | None:
    """Return GGUF's name of a tensor; None for one that it has no use for."""
    rest, _, kind = name.rpartition(".")
    if rest.startswith("encoder.layer."):
        _, _, number, part = rest.split(".", 3)
        return f"blk.{number}.{NAMES[part]}.{kind}"
    return f"{NAMES[rest]}.{kind}" if rest in NAMES else None


def main(folder: Path, weights: Path) -> None:
    config = json.loads(weights.with_name("config.json").read_text())
    words = weights.with_name("vocab.txt").read_text().split("\n")[: config["vocab_size"]]
    folder.mkdir()
    writer = gguf.GGUFWriter(folder / "model.gguf", "bert")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_vocab_size(len(words))
    writer.add_token_type_count(config["type_vocab_size"])
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("jina-v2-en")
    # It marks where words begin, and WordPiece where they go on.
    special = [word.startswith("[") and word.endswith("]") for word in words]
    writer.add_token_list(
        [
            word if whole else word[2:] if word.startswith("##") else f"▁{word}"
            for word, whole in zip(words, special, strict=True)
        ]
    )
    writer.add_token_types([gguf.TokenType.CONTROL if whole else gguf.TokenType.NORMAL for whole in special])
    writer.add_bos_token_id(words.index("[CLS]"))
    writer.add_sep_token_id(words.index("[SEP]"))
    writer.add_unk_token_id(words.index("[UNK]"))
    writer.add_pad_token_id(words.index("[PAD]"))
    writer.add_mask_token_id(words.index("[MASK]"))
    for name, tensor in tensors(weights):
        if (renamed := name_of(name)) is not None:
            writer.add_tensor(renamed, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
