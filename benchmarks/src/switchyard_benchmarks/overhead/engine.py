"""A scripted engine that speaks both protocols: first token after 200 ms, then 64 tokens at 10 ms; run as a process."""

from __future__ import annotations

import argparse
import asyncio
import json

from aiohttp import web

FIRST_SECONDS, TOKEN_SECONDS, TOKENS = 0.2, 0.01, 64
MODEL = "scripted"
_WORD = "token "


def _chunk(delta: dict[str, str], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": [choice]}
    return f"data: {json.dumps(body)}\n\n".encode()


def _end(tokens: int) -> bytes:
    usage = {"prompt_tokens": 8, "completion_tokens": tokens, "total_tokens": tokens + 8}
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": []}
    return (
        _chunk({"content": ""}, "stop") + f"data: {json.dumps({**body, 'usage': usage})}\n\ndata: [DONE]\n\n".encode()
    )


def _line(text: str, **end: object) -> bytes:
    body = {"model": MODEL, "created_at": "", "message": {"role": "assistant", "content": text}, "done": bool(end)}
    return json.dumps({**body, **end}).encode() + b"\n"


_TOKEN, _END = _chunk({"content": _WORD}), _end(TOKENS)
_OLLAMA_TOKEN = _line(_WORD)
_OLLAMA_END = _line("", done=True, done_reason="stop", prompt_eval_count=8, eval_count=TOKENS)


class ScriptedEngine:
    """Gives the same answer to every chat; `/_mode` sets `refuse` (503), `limit` (429), `hang` or `ok`."""

    def __init__(self) -> None:
        self._mode = "ok"
        self._chats = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/api/chat", self._chat)
        app.router.add_post("/api/show", self._show)
        app.router.add_get("/api/version", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/health", self._health)
        app.router.add_post("/_mode", self._set)
        app.router.add_get("/_count", self._count)
        return app

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self._chats += 1
        body = await request.json()
        if self._mode in ("refuse", "limit"):
            status, headers = (503, None) if self._mode == "refuse" else (429, {"Retry-After": "5"})
            return web.json_response({"error": {"message": "busy", "code": status}}, status=status, headers=headers)
        if self._mode == "hang":
            await asyncio.Event().wait()
        ollama = request.path == "/api/chat"
        token, end = (_OLLAMA_TOKEN, _OLLAMA_END) if ollama else (_TOKEN, _END)
        # A probe asks for one token and gets it immediately.
        tokens = min(TOKENS, body.get("max_tokens") or body.get("options", {}).get("num_predict") or TOKENS)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        loop = asyncio.get_running_loop()
        due = loop.time() + (FIRST_SECONDS if tokens > 1 else 0)
        for _ in range(tokens):
            # At fixed times, so that a slow reader does not slow the engine down.
            await asyncio.sleep(due - loop.time())
            await response.write(token)
            due += TOKEN_SECONDS
        await response.write(end)
        return response

    async def _show(self, _: web.Request) -> web.Response:
        return web.json_response({"model_info": {"llama.context_length": 32768}, "details": {}, "capabilities": []})

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": MODEL, "max_model_len": 32768}]})

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _set(self, request: web.Request) -> web.Response:
        self._mode = (await request.json())["mode"]
        return web.Response()

    async def _count(self, _: web.Request) -> web.Response:
        return web.json_response({"chats": self._chats})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    web.run_app(ScriptedEngine().app(), host="127.0.0.1", port=parser.parse_args().port, print=None, access_log=None)


if __name__ == "__main__":
    main()
