"""Ollama's native dialect: NDJSON streams, errors as `{"error": "text"}`, prompts truncated in silence."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from engines import answers
from engines.faults import Fault
from engines.server import FAULT, SEEN, Engine, Seen, main

_NOW = "2026-01-31T12:00:00Z"


class OllamaEngine(Engine):
    """Serves `models` with a context of `context` tokens, or of `num_ctx` where a call asks for less."""

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.post("/api/chat", self._chat),
            web.post("/api/generate", self._generate),
            web.post("/api/embed", self._embed),
            web.post("/api/show", self._show),
            web.post("/api/pull", self._pull),
            web.get("/api/tags", self._tags),
            web.get("/api/ps", self._ps),
            web.get("/api/version", self._version),
            web.get("/", self._root),
        ]

    def error_body(self, status: int, message: str) -> dict[str, Any]:
        return {"error": message}

    def knows(self, model: str) -> bool:
        return model.removesuffix(":latest") in {name.removesuffix(":latest") for name in self.models}

    async def _root(self, _: web.Request) -> web.Response:
        return web.Response(text="Ollama is running")

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": "0.33.0"})

    async def _tags(self, _: web.Request) -> web.Response:
        return web.json_response({"models": [self._model(name) for name in self.models]})

    async def _ps(self, _: web.Request) -> web.Response:
        used = {seen.body.get("model") for seen in self.seen} - {None}
        loaded = [name for name in self.models if name in used and self.knows(name)]
        return web.json_response({"models": [self._model(n) | {"context_length": self.context} for n in loaded]})

    def _model(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "model": name,
            "modified_at": _NOW,
            "size": 1,
            "digest": hashlib.sha256(name.encode()).hexdigest(),
            "details": {},
        }

    async def _show(self, request: web.Request) -> web.StreamResponse:
        model = request[SEEN].body.get("model", "")
        if not self.knows(model):
            return self.refuse(404, f"model '{model}' not found")
        info: dict[str, Any] = {"general.architecture": "llama", "llama.context_length": self.context}
        if "context_length" in self.lacks:
            del info["llama.context_length"]
        details = {"modified_at": _NOW, "details": {"family": "llama"}, "capabilities": ["completion"]}
        return web.json_response({**details, "model_info": info, "template": self.template})

    async def _pull(self, request: web.Request) -> web.StreamResponse:
        model = request[SEEN].body.get("model", "")
        response = await self._open(request)
        fault: Fault | None = request[FAULT]
        if fault is not None and fault.kind == "error_line":
            await self._line(response, {"error": fault.message})
            return response
        await self._line(response, {"status": "pulling manifest"})
        digest, total = self._model(model)["digest"], 2_000_000_000
        for completed in range(0, total + 1, total // 40):
            layer = {"status": f"pulling {digest[:12]}", "digest": f"sha256:{digest}"}
            await self._line(response, layer | {"total": total, "completed": completed})
        for status in ("verifying sha256 digest", "writing manifest", "success"):
            await self._line(response, {"status": status})
        self.models.append(model)
        return response

    async def _embed(self, request: web.Request) -> web.StreamResponse:
        seen: Seen = request[SEEN]
        fault: Fault | None = request[FAULT]
        if not self.knows(seen.body.get("model", "")):
            return self.refuse(404, f"model '{seen.body.get('model', '')}' not found, try pulling it first")
        if fault is not None and fault.kind == "malformed":
            return web.Response(text='{"embeddings": [[', content_type="application/json")
        texts = seen.body["input"]
        texts = [texts] if isinstance(texts, str) else texts
        limit = min(self.context, (seen.body.get("options") or {}).get("num_ctx") or self.context)
        if any(answers.count_tokens(text) > limit for text in texts):
            if seen.body.get("truncate", True) is False:
                return self.refuse(400, "the input length exceeds the context length")
            texts = [" ".join(text.split()[:limit]) for text in texts]
        seed = fault.amount if fault is not None and fault.kind == "other_vectors" else self.seed
        vectors = [answers.vector(text, self.dimension, seed).tolist() for text in texts]
        count = sum(answers.count_tokens(text) for text in texts)
        return web.json_response({"model": seen.body["model"], "embeddings": vectors, "prompt_eval_count": count})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        messages = request[SEEN].body.get("messages", [])
        # A last turn of the assistant's is an answer to be gone on with.
        prefix = messages[-1].get("content", "") if messages and messages[-1].get("role") == "assistant" else ""
        prompt = "\n".join(message.get("content", "") for message in (messages[:-1] if prefix else messages))

        def wrap(text: str) -> dict[str, Any]:
            if isinstance(text, answers.Thinking):
                return {"message": {"role": "assistant", "content": "", "thinking": text}}
            return {"message": {"role": "assistant", "content": text}}

        return await self._complete(request, prompt, wrap, prefix)

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        model, prompt = request[SEEN].body.get("model", ""), request[SEEN].body.get("prompt", "")
        if not prompt and self.knows(model):
            # Loads the model and makes no token.
            return web.json_response(
                {"model": model, "created_at": _NOW, "response": "", "done": True, "done_reason": "load"}
            )
        return await self._complete(request, prompt, lambda text: {"response": text})

    async def _complete(self, request: web.Request, prompt: str, wrap: Any, prefix: str = "") -> web.StreamResponse:
        seen: Seen = request[SEEN]
        body, fault = seen.body, request[FAULT]
        model, options = body.get("model", ""), body.get("options") or {}
        if not self.knows(model):
            return self.refuse(404, f"model '{model}' not found")
        limit = min(self.context, options.get("num_ctx") or self.context)
        if answers.count_tokens(prompt) > limit and body.get("truncate", True) is False:
            return self.refuse(400, "the input length exceeds the context length")
        if fault is not None and fault.kind == "truncated":
            limit = fault.amount
        prompt = answers.last_tokens(prompt, limit)
        schema = body.get("format")
        text = self.json_answer(schema, prompt) if isinstance(schema, dict) else self.answer(prompt)
        if fault is not None and fault.kind == "broken_json" and isinstance(schema, dict):
            text = text[: len(text) // 2]
        parts = answers.with_thoughts(
            self.thoughts,
            self.thought_style,
            answers.pieces(answers.until(answers.continued(text, prefix), options.get("stop") or [])),
        )
        allowed = options.get("num_predict")
        allowed = -1 if allowed is None else allowed
        if fault is not None and fault.kind == "short":
            allowed = fault.amount
        reason = "length" if 0 <= allowed < len(parts) else "stop"
        parts = parts[:allowed] if allowed >= 0 else parts
        last = wrap("") | {
            "model": model,
            "created_at": _NOW,
            "done": True,
            "done_reason": reason,
            "prompt_eval_count": answers.count_tokens(prompt),
            "eval_count": len(parts),
        }
        if body.get("stream", True) is False:
            return web.json_response(last | wrap("".join(parts)))
        response = await self._open(request)
        async for part in self.paced(request, parts):
            await self._line(response, {"model": model, "created_at": _NOW, "done": False} | wrap(part))
        return await self._end(request, response, last)

    async def _end(
        self, request: web.Request, response: web.StreamResponse, last: dict[str, Any]
    ) -> web.StreamResponse:
        fault: Fault | None = request[FAULT]
        match fault.kind if fault is not None else "":
            case "cut":
                return self.cut(request)
            case "hang":
                await asyncio.Event().wait()
            case "error_line" if fault is not None:
                await self._line(response, {"error": fault.message})
            case "malformed":
                await response.write(b'{"message": {"role": "assist\n')
            case "no_end" | "abort":
                pass
            case _:
                await self._line(response, last)
        return response

    async def _open(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        return response

    async def _line(self, response: web.StreamResponse, data: dict[str, Any]) -> None:
        await response.write(json.dumps(data, ensure_ascii=False).encode() + b"\n")


if __name__ == "__main__":
    main(OllamaEngine, 11434)
