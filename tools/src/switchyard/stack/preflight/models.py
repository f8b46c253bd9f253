"""What models need, and their licences; a model that is not listed is not judged."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

GIB = 1 << 30
# What the containers read too.
_DEPLOY = Path(__file__).parents[5] / "deploy"
_VLLM_TABLES = _DEPLOY / "vllm"
_GB = 10**9

# Hugging Face id, parameters in 10^9 (a quarter of them where weights have 4 bits), bytes of KV cache per token at 16 bits
# (2 x layers x KV heads x head size x 2, from the model's config.json), terms (see TERMS).
_VLLM = """
meta-llama/Llama-3.2-1B-Instruct            1.24   32768  llama
meta-llama/Llama-3.2-3B-Instruct            3.21  114688  llama
meta-llama/Llama-3.1-8B-Instruct            8.03  131072  llama
meta-llama/Llama-3.1-70B-Instruct          70.6   327680  llama
meta-llama/Llama-3.3-70B-Instruct          70.6   327680  llama
Qwen/Qwen2.5-0.5B-Instruct                  0.49   12288  -
Qwen/Qwen2.5-1.5B-Instruct                  1.54   28672  -
Qwen/Qwen2.5-3B-Instruct                    3.09   36864  qwen-research
Qwen/Qwen2.5-7B-Instruct                    7.62   57344  -
Qwen/Qwen2.5-14B-Instruct                  14.8   196608  -
Qwen/Qwen2.5-32B-Instruct                  32.8   262144  -
Qwen/Qwen2.5-72B-Instruct                  72.7   327680  qwen
Qwen/Qwen3-0.6B                             0.6   114688  -
Qwen/Qwen3-1.7B                             1.72  114688  -
Qwen/Qwen3-4B-Instruct-2507                 4.02  147456  -
Qwen/Qwen3-4B-Thinking-2507                 4.02  147456  -
Qwen/Qwen3-8B                               8.19  147456  -
Qwen/Qwen3-14B                             14.8   163840  -
Qwen/Qwen3-32B                             32.8   262144  -
mistralai/Mistral-7B-Instruct-v0.3          7.25  131072  -
mistralai/Mistral-Nemo-Instruct-2407       12.2   163840  -
microsoft/phi-4                            14.7   204800  -
microsoft/Phi-4-mini-instruct               3.84  131072  -
google/gemma-2-2b-it                        2.61  106496  gemma
google/gemma-2-9b-it                        9.24  344064  gemma
google/gemma-3-1b-it                        1.0    26624  gemma
google/gemma-3-4b-it                        4.3   139264  gemma
google/gemma-3-12b-it                      12.2   393216  gemma
google/gemma-3-27b-it                      27.4   507904  gemma
openai/gpt-oss-20b                          6.9     49152  -
TinyLlama/TinyLlama-1.1B-Chat-v1.0          1.1    22528  -
nomic-ai/nomic-embed-text-v1.5              0.137      0  -
sentence-transformers/all-MiniLM-L6-v2      0.023      0  -
sentence-transformers/all-MiniLM-L12-v2     0.033      0  -
mixedbread-ai/mxbai-embed-large-v1          0.335      0  -
BAAI/bge-m3                                 0.568      0  -
BAAI/bge-large-en-v1.5                      0.335      0  -
Snowflake/snowflake-arctic-embed-l-v2.0     0.568      0  -
Qwen/Qwen3-Embedding-0.6B                   0.6   114688  -
Qwen/Qwen3-Embedding-4B                     4.02  147456  -
BAAI/bge-reranker-v2-m3                     0.568      0  -
BAAI/bge-reranker-base                      0.278      0  -
BAAI/bge-reranker-large                     0.56       0  -
"""
# Ollama's name (one of each model; names.txt has the others), size of the weights in 10^9 bytes (4 bits), terms.
_OLLAMA = """
llama3.2             2.0   llama
llama3.2:1b          1.3   llama
llama3.1             4.9   llama
llama3.1:70b         43    llama
llama3.3             43    llama
llama3.2-vision      7.8   llama
qwen2.5              4.7   -
qwen2.5:0.5b         0.4   -
qwen2.5:1.5b         1.0   -
qwen2.5:3b           1.9   qwen-research
qwen2.5:14b          9.0   -
qwen2.5:32b          20    -
qwen2.5:72b          47    qwen
qwen2.5vl            6.0   -
qwen2.5vl:3b         3.2   qwen-research
qwen3                5.2   -
qwen3:0.6b           0.5   -
qwen3:1.7b           1.4   -
qwen3:4b             2.5   -
qwen3:4b-instruct    2.5   -
qwen3:4b-thinking    2.5   -
qwen3:14b            9.3   -
qwen3:32b            20    -
mistral              4.4   -
mistral-nemo         7.1   -
phi4                 9.1   -
phi4-mini            2.5   -
gemma2               5.4   gemma
gemma2:2b            1.6   gemma
gemma3               3.3   gemma
gemma3:1b            0.8   gemma
gemma3:12b           8.1   gemma
gemma3:27b           17    gemma
tinyllama            0.6   -
llava                4.7   llava
llava:7b             4.7   llava
llava:13b            8.0   llava
llava:34b            20    llava
moondream            1.7   -
minicpm-v            5.5   -
nomic-embed-text     0.27  -
all-minilm           0.05  -
mxbai-embed-large    0.67  -
bge-m3               1.2   -
"""
TERMS = {
    "llama": "Llama community licence: free for most, but not open source; it has rules of use and requires attribution",
    "gemma": "Gemma terms of use: free, with a list of prohibited uses",
    "qwen": "Qwen licence: free below 100 million users a month",
    "qwen-research": "Qwen research licence: NOT for commercial use",
    "llava": "LLaVA: trained on data that its authors publish for research; ask before commercial use",
}
NON_COMMERCIAL = frozenset({"qwen-research"})


@dataclass(frozen=True)
class KnownModel:
    """`weights` and `kv_per_token` in bytes; the latter for vLLM's only."""

    name: str
    weights: int
    kv_per_token: int
    terms: str


def _rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.strip().splitlines() if not line.startswith("#")]


@lru_cache(maxsize=1)
def defaults() -> dict[str, str]:
    """Return the settings that the containers of Ollama and vLLM use where they are given none."""
    files = (_DEPLOY / engine / "defaults.env" for engine in ("ollama", "vllm"))
    return dict(line.split("=", 1) for file in files for line in file.read_text(encoding="utf-8").split())


@lru_cache(maxsize=1)
def names() -> dict[str, str]:
    """Return Ollama's names and the Hugging Face ids that they stand for."""
    return dict(_rows((_VLLM_TABLES / "names.txt").read_text(encoding="utf-8")))


def hub_id(name: str) -> str:
    """Return the Hugging Face id that `name` stands for, if it is a name of Ollama's."""
    bare = name[: -len(":latest")] if name.endswith(":latest") else name
    return names().get(bare, bare)


def in_vllm(name: str) -> KnownModel | None:
    """Return the model that vLLM loads for `name`, a Hugging Face id or Ollama's name; None if it is not known."""
    for model, parameters, cache, terms in _rows(_VLLM):
        if model == hub_id(name):
            return KnownModel(model, int(float(parameters) * 2 * _GB), int(cache), terms)
    return None


def in_ollama(name: str) -> KnownModel | None:
    """Return the model that Ollama loads for `name`; None if it is not known."""
    for model, weights, terms in _rows(_OLLAMA):
        if hub_id(model) == hub_id(name):
            return KnownModel(name, int(float(weights) * _GB), 0, terms)
    return None


def gated(name: str) -> bool:
    """Return whether Hugging Face gives the model only to accounts that accepted its licence."""
    return hub_id(name).startswith(tuple((_VLLM_TABLES / "gated.txt").read_text(encoding="utf-8").split()))
