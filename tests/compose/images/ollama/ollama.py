#!/usr/local/bin/python
"""`ollama serve` as the scripted engine: what is pulled lies in a volume, and answers quote the first source."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from aiohttp import web

from engines.answers import default_answer
from engines.ollama import OllamaEngine
from engines.server import SEEN, run_forever

MODELS = Path.home() / ".ollama" / "models"
_SOURCE = re.compile(r'<source label="(\d+)"[^>]*>\n(.*?)\n</source>', re.DOTALL)


def answer(prompt: str) -> str:
    """The beginning of the first source, with its label; without sources, what the prompt ended with."""
    found = _SOURCE.search(prompt)
    if found is None:
        return default_answer(prompt)
    return f"{' '.join(found[2].split()[:40])} [{found[1]}]"


class Stored(OllamaEngine):
    """Knows the models that were pulled into its folder, by whichever process."""

    def knows(self, model: str) -> bool:
        return (MODELS / _file(model)).exists()

    async def _pull(self, request: web.Request) -> web.StreamResponse:
        response = await super()._pull(request)
        MODELS.mkdir(parents=True, exist_ok=True)
        (MODELS / _file(request[SEEN].body["model"])).touch()
        self.models[:] = sorted(file.name for file in MODELS.iterdir())
        return response


def _file(model: str) -> str:
    return model.removesuffix(":latest").replace("/", "_")


if __name__ == "__main__":
    if sys.argv[1:] != ["serve"]:
        sys.exit("only `ollama serve` is here")
    host, _, port = os.environ["OLLAMA_HOST"].partition(":")
    here = sorted(file.name for file in MODELS.iterdir()) if MODELS.is_dir() else []
    run_forever(Stored(models=here, host=host, port=int(port or 11434), answer=answer, delay=0.02, dimension=384))
