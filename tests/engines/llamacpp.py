"""llama.cpp's dialect of the OpenAI protocol, where it differs from vLLM's; as its server of October 2026 speaks it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from engines.server import SEEN
from engines.vllm import OpenAIEngine


@dataclass
class LlamaCppEngine(OpenAIEngine):
    """Serves one model by any name, and closes the connection after each stream although it says that it keeps it."""

    owned_by: str = "llamacpp"

    def routes(self) -> Iterable[web.RouteDef]:
        return [*super().routes(), web.get("/props", self._properties)]

    def app(self) -> web.Application:
        app = super().app()
        app.on_response_prepare.append(self._sign)
        return app

    async def _sign(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers["Server"] = "llama.cpp"

    def error_body(self, status: int, message: str) -> dict[str, Any]:
        return {"error": {"code": status, "message": message, "type": "invalid_request_error"}}

    async def _models(self, _: web.Request) -> web.Response:
        meta = {"n_ctx_train": 131072, "n_embd": self.dimension}
        entry = {"id": self.models[0], "object": "model", "owned_by": self.owned_by, "meta": meta}
        return web.json_response({"object": "list", "data": [entry]})

    async def _properties(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "default_generation_settings": {"n_ctx": self.context},
                "model_path": f"/models/{self.models[0]}.gguf",
                "build_info": "b7000-abcdef0",
                "chat_template": self.template,
            }
        )

    def _unknown(self, body: dict[str, Any]) -> web.Response | None:
        return None

    def _too_long(self, tokens: int, path: str) -> web.Response:
        if path.endswith("/embeddings"):
            return self.refuse(
                500, f"input ({tokens} tokens) is too large to process. increase the physical batch size"
            )
        return self.refuse(400, f"request ({tokens} tokens) exceeds the available context size ({self.context} tokens)")

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        response = await super()._chat(request)
        if request[SEEN].body.get("stream") and response.prepared and request.transport is not None:
            await response.write_eof()
            request.transport.close()
        return response
