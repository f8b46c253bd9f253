"""The OpenAPI documents of all services, as a person reads them."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi import FastAPI
from starlette.routing import Mount

from service_kit.summaries import first_sentence
from switchyard.allinone import create
from switchyard.services import SERVICES

_SENTENCE = re.compile(r"[A-Z]\S* .{5,200}\.", re.DOTALL)


def test_every_summary_is_a_sentence_and_not_the_name_of_a_function(tmp_path: Path) -> None:
    mounts = [mount.app for mount in create(tmp_path, "http://127.0.0.1:1").routes if isinstance(mount, Mount)]
    documents = {app.title: app.openapi() for app in mounts if isinstance(app, FastAPI)}
    assert set(documents) == {service.name for service in SERVICES}
    summaries = {
        (name, method, path): operation["summary"]
        for name, document in documents.items()
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert len(summaries) > 80
    assert {where: words for where, words in summaries.items() if not _SENTENCE.fullmatch(words)} == {}


def test_the_first_sentence_ends_with_its_full_stop_and_is_one_line() -> None:
    assert (
        first_sentence("Add files (field `a.b`),\nor a text. Answers 202.\n\nMore.")
        == "Add files (field `a.b`), or a text."
    )
    assert first_sentence("") is None
