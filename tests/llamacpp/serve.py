"""Serve a model with llama.cpp's own server, which the package has as a library only.

Runs in the environment of llama.cpp, not in the project's.

usage: serve.py GGUF_FILE NAME PORT [embeddings]
"""

from __future__ import annotations

import sys
import threading

import xllamacpp


def main(model: str, name: str, port: str, role: str = "chat") -> None:
    parameters = xllamacpp.CommonParams()
    parameters.model.path, parameters.model_alias = model, {name}
    parameters.port = int(port)
    parameters.endpoint_metrics = True
    # More threads than free processors wait for each other.
    parameters.cpuparams.n_threads = 1
    if role == "embeddings":
        parameters.embedding = True
    else:
        # 4096 for each of four requests at a time.
        parameters.n_parallel, parameters.n_ctx = 4, 4 * 4096
    # It serves for as long as it is referred to.
    server = xllamacpp.Server(parameters)  # noqa: F841
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
