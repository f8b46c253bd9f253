"""A small service whose acts leave a file each, to be killed: `python app.py FOLDER`.

For each port that it reads it forks a process that serves there, writes its id, and when it has ended a line more: it is imported once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import APIRouter, FastAPI, Request

from service_kit.app import create_app
from service_kit.auth import Admin, User
from service_kit.errors import Conflict
from service_kit.settings import ServiceSettings

KEY = "sy-test-admin-key"
router = APIRouter(prefix="/v1")


@router.post("/notes/{name}")
async def make(name: str, request: Request, user: User) -> dict[str, str]:
    if name == "taken":
        raise Conflict("taken")
    (request.app.state.service.settings.data_dir / "done" / name).touch()
    return {"id": name}


@router.post("/query")
async def query(request: Request, user: User) -> dict[str, str]:
    question = str((await request.json())["question"])
    (request.app.state.service.settings.data_dir / "done" / question).touch()
    return {"answer": question}


@router.put("/providers")
async def change(request: Request, user: Admin) -> dict[str, str]:
    return dict(await request.json())


@router.get("/notes/{name}/markdown")
async def export(name: str, user: User) -> str:
    return name


@router.get("/notes/{name}")
async def read(name: str, user: User) -> str:
    return name


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield


def create(folder: Path, **settings: object) -> FastAPI:
    (folder / "done").mkdir(parents=True, exist_ok=True)
    chosen = ServiceSettings.model_validate({"data_dir": folder, "admin_api_key": KEY, **settings})
    return create_app(name="switchyard-shared", description="", settings=chosen, routers=[router], lifespan=lifespan)


def serve(folder: Path) -> None:
    for port in sys.stdin:
        if (process := os.fork()) == 0:
            # What it logs is no answer of this program.
            os.dup2(2, 1)
            uvicorn.run(create(folder), port=int(port), log_level="error", access_log=False)
            os._exit(0)
        os.write(1, f"{process}\n".encode())
        os.waitpid(process, 0)
        os.write(1, b"ended\n")


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
