"""vLLM's dialect of the OpenAI protocol: SSE streams, errors as `{"error": {...}}`, prompts refused when too long."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from engines import answers
from engines.faults import Fault
from engines.server import FAULT, SEEN, Engine, Seen, main


class OpenAIEngine(Engine):
    """Serves chat, embeddings and rerank alike, where a real vLLM needs one process for each."""

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.post("/v1/chat/completions", self._chat),
            web.post("/v1/embeddings", self._embeddings),
            web.post("/v1/rerank", self._rerank),
            web.post("/tokenize", self._tokenize),
            web.get("/v1/models", self._models),
            web.get("/health", self._health),
            web.get("/metrics", self._metrics),
        ]

    @property
    def api(self) -> str:
        return f"{self.url}/v1"

    def error_body(self, status: int, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "type": "BadRequestError", "param": None, "code": status}}

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _metrics(self, _: web.Request) -> web.Response:
        running = sum(not seen.finished.is_set() for seen in self.requests("/chat/completions"))
        return web.Response(text=f'vllm:num_requests_running{{engine="0"}} {running:.1f}\n')

    async def _models(self, _: web.Request) -> web.Response:
        if "models" in self.lacks:
            return self.refuse(404, "Not Found")
        data = [{"id": m, "object": "model", "owned_by": self.owned_by} for m in self.models]
        if "max_model_len" not in self.lacks:
            data = [entry | {"max_model_len": self.context} for entry in data]
        return web.json_response({"object": "list", "data": data})

    async def _tokenize(self, request: web.Request) -> web.Response:
        body = request[SEEN].body
        text = body.get("prompt") or self._prompt(body.get("messages", []))
        count = answers.count_tokens(text)
        return web.json_response({"count": count, "max_model_len": self.context, "tokens": list(range(count))})

    def _unknown(self, body: dict[str, Any]) -> web.Response | None:
        model = body.get("model")
        if model is None or model in self.models:
            return None
        return self.refuse(404, f"The model `{model}` does not exist.")

    def _too_long(self, tokens: int, path: str) -> web.Response:
        return self.refuse(
            400,
            f"This model's maximum context length is {self.context} tokens. However, your request has {tokens} input "
            "tokens. Please reduce the length of the input messages.",
        )

    async def _embeddings(self, request: web.Request) -> web.StreamResponse:
        seen: Seen = request[SEEN]
        fault: Fault | None = request[FAULT]
        if (unknown := self._unknown(seen.body)) is not None:
            return unknown
        if fault is not None and fault.kind == "malformed":
            return web.Response(text='{"data": [{', content_type="application/json")
        texts = seen.body["input"]
        texts = [texts] if isinstance(texts, str) else texts
        if not texts:
            return self.refuse(400, "input must not be empty")
        longest = max(answers.count_tokens(text) for text in texts)
        if longest > self.context:
            return self._too_long(longest, request.path)
        seed = fault.amount if fault is not None and fault.kind == "other_vectors" else self.seed
        data = []
        for index, text in enumerate(texts):
            vector = answers.vector(text, self.dimension, seed)
            base64_wanted = seen.body.get("encoding_format") == "base64" and "base64" not in self.lacks
            value = base64.b64encode(vector.tobytes()).decode() if base64_wanted else vector.tolist()
            data.append({"object": "embedding", "index": index, "embedding": value})
        usage = {"prompt_tokens": sum(answers.count_tokens(text) for text in texts), "total_tokens": 0}
        return web.json_response({"object": "list", "data": data, "model": seen.body.get("model"), "usage": usage})

    async def _rerank(self, request: web.Request) -> web.StreamResponse:
        body = request[SEEN].body
        fault: Fault | None = request[FAULT]
        if (unknown := self._unknown(body)) is not None:
            return unknown
        if fault is not None and fault.kind == "malformed":
            return web.Response(text='{"results": [', content_type="application/json")
        scores = [answers.relevance(body["query"], document) for document in body["documents"]]
        order = sorted(range(len(scores)), key=lambda i: -scores[i])[: body.get("top_n") or len(scores)]
        results = [
            {"index": i, "document": {"text": body["documents"][i]}, "relevance_score": scores[i]} for i in order
        ]
        return web.json_response({"id": "rerank-1", "model": body.get("model"), "results": results})

    def _prompt(self, messages: list[dict[str, Any]]) -> str:
        texts = []
        for message in messages:
            content = message.get("content", "")
            parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
            texts += [part["text"] for part in parts if part["type"] == "text"]
        return "\n".join(texts)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        seen: Seen = request[SEEN]
        body = seen.body
        if (unknown := self._unknown(body)) is not None:
            return unknown
        messages, prefix = body["messages"], ""
        for name in ("stream_options", "response_format"):
            if name in body and name in self.lacks:
                return self.refuse(400, f"Unrecognized request argument supplied: {name}")
        if (body.get("response_format") or {}).get("type") in self.lacks:
            return self.refuse(400, "'response_format.type' must be 'text'")
        if body.get("continue_final_message"):
            if body.get("add_generation_prompt", True) or messages[-1]["role"] != "assistant":
                return self.refuse(400, "Cannot set both `continue_final_message` and `add_generation_prompt` to True.")
            messages, prefix = messages[:-1], messages[-1]["content"]
        prompt = self._prompt(messages)
        tokens, allowed = answers.count_tokens(prompt), body.get("max_tokens") or body.get("max_completion_tokens")
        if tokens + (allowed or 1) > self.context:
            return self._too_long(tokens, request.path)
        wanted = body.get("response_format") or {}
        schema = (wanted.get("json_schema") or {}).get("schema") if wanted.get("type") == "json_schema" else None
        text = self.json_answer(schema, prompt) if schema else self.answer(prompt)
        fault: Fault | None = request[FAULT]
        if fault is not None and fault.kind == "broken_json" and schema:
            text = text[: len(text) // 2]
        if fault is not None and fault.kind == "short":
            allowed = fault.amount
        parts = answers.with_thoughts(
            self.thoughts,
            self.thought_style,
            answers.pieces(answers.until(answers.continued(text, prefix), body.get("stop") or [])),
        )
        reason = "length" if allowed is not None and allowed < len(parts) else "stop"
        parts = parts[:allowed]
        usage = {"prompt_tokens": tokens, "completion_tokens": len(parts), "total_tokens": tokens + len(parts)}
        base = {"id": "chatcmpl-1", "created": 1, "model": body.get("model")}
        if not body.get("stream"):
            message = {"role": "assistant", "content": "".join(parts)}
            choice = {"index": 0, "message": message, "finish_reason": reason}
            return web.json_response(base | {"object": "chat.completion", "choices": [choice], "usage": usage})
        base["object"] = "chat.completion.chunk"
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        first = True
        async for part in self.paced(request, parts):
            if first:
                await self._delta(response, base, {"role": "assistant", "content": ""}, None)
                first = False
            field = self.thought_style if isinstance(part, answers.Thinking) else "content"
            await self._delta(response, base, {field: part}, None)
        await self._end(request, response, base, reason, usage)
        return response

    async def _end(
        self,
        request: web.Request,
        response: web.StreamResponse,
        base: dict[str, Any],
        reason: str,
        usage: dict[str, int],
    ) -> None:
        fault: Fault | None = request[FAULT]
        match fault.kind if fault is not None else "":
            case "cut":
                self.cut(request)
                return
            case "hang":
                await asyncio.Event().wait()
            case "no_end":
                return
            case "malformed":
                await response.write(b'data: {"choices": [{"del\n\n')
                return
            case "abort":
                await self._delta(response, base, {"content": ""}, "abort")
            case "error_line" if fault is not None:
                error = {"message": fault.message, "type": "InternalServerError", "param": None, "code": 500}
                await self._data(response, json.dumps({"error": error}))
            case _:
                await self._delta(response, base, {"content": ""}, reason)
                if "completion_tokens" in self.lacks:
                    usage = {name: count for name, count in usage.items() if name != "completion_tokens"}
                if "usage" not in self.lacks and (request[SEEN].body.get("stream_options") or {}).get("include_usage"):
                    await self._data(response, json.dumps(base | {"choices": [], "usage": usage}))
        if "[DONE]" not in self.lacks:
            await self._data(response, "[DONE]")

    async def _delta(
        self, response: web.StreamResponse, base: dict[str, Any], delta: dict[str, str], reason: str | None
    ) -> None:
        choice: dict[str, Any] = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        if "delta" in self.lacks and reason:
            del choice["delta"]
        if "choices" in self.lacks:
            # A chunk that only says that the server is alive.
            await self._data(response, json.dumps(base))
        await self._data(response, json.dumps(base | {"choices": [choice]}, ensure_ascii=False))

    async def _data(self, response: web.StreamResponse, data: str) -> None:
        await response.write(f"data: {data}\n\n".encode())


if __name__ == "__main__":
    main(OpenAIEngine, 8000)
