"""Turn the packed weights of SmolLM2-135M-Instruct into the format that vLLM reads.

Runs in the environment of vLLM, not in the project's.

usage: make_smollm.py FOLDER GGUF_FILE
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.quantization_config import GgufConfig


def main(folder: Path, packed: Path) -> None:
    AutoTokenizer.from_pretrained(packed.parent, gguf_file=packed.name).save_pretrained(folder)
    # Unpacked on loading: a packed model can't be saved.
    AutoModelForCausalLM.from_pretrained(
        packed.parent,
        gguf_file=packed.name,
        dtype=torch.float32,
        quantization_config=GgufConfig(dequantize=True),
    ).save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
