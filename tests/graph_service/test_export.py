"""Exports: whole, well formed, and harmless whatever the documents say."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest

NS = "{http://graphml.graphdrawing.org/xmlns}"
TEXT = (
    'Anna Berg said </data> & "]}" to Peter Jansen of Acme Corp\'s office: \\"; DETACH DELETE n //\x0b.\n\n'
    "=HYPERLINK met Anna Berg and Peter Jansen. Anna Berg likes Lisbon."
)


@pytest.fixture
async def built(stack: Any, rag: Any) -> Any:
    rag.add('=cmd|"x"', TEXT)
    await stack.build()
    return stack


async def exported(stack: Any, kind: str) -> str:
    answer = await stack.http.get("/v1/graphs/default/export", params={"format": kind})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith('attachment; filename="default.')
    return str(answer.text)


async def test_graphml_has_every_entity_and_relation(built: Any) -> None:
    root = ElementTree.fromstring(await exported(built, "graphml"))
    names = {node.findtext(f"{NS}data[@key='name']") for node in root.iter(f"{NS}node")}
    assert names == await built.names()
    edges = list(root.iter(f"{NS}edge"))
    assert len(edges) == len((await built.get("/v1/relations", limit=200))["items"]) > 3
    nodes = {node.get("id") for node in root.iter(f"{NS}node")}
    assert {end for edge in edges for end in (edge.get("source"), edge.get("target"))} <= nodes


async def test_json_ld_has_every_entity_and_relation(built: Any) -> None:
    graph = json.loads(await exported(built, "jsonld"))["@graph"]
    assert {node["name"] for node in graph if "name" in node} == await built.names()
    said = [node for node in graph if node["@type"] == "rdf:Statement"]
    assert len(said) == len((await built.get("/v1/relations", limit=200))["items"])
    assert all(node["citation"]["text"].strip() in TEXT for node in said)


async def test_no_cell_of_the_table_is_a_formula(built: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(await exported(built, "csv"), newline="")))
    assert len(rows) == len((await built.get("/v1/relations", limit=200))["items"])
    assert {row["document"] for row in rows} == {'\'=cmd|"x"'}
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row.values())
    assert any(row["quote"].startswith("'=HYPERLINK") for row in rows)


async def test_cypher_has_one_statement_a_line_and_no_word_of_a_document_outside_of_strings(built: Any) -> None:
    lines = (await exported(built, "cypher")).splitlines()
    bare = [re.sub(r'"(?:[^"\\]|\\.)*+"', "S", line) for line in lines]
    node = r"CREATE \(:Entity:\w+ \{id: \d+, name: S, mentions: \d+\}\);"
    edge = (
        r"MATCH \(a:Entity \{id: \d+\}\), \(b:Entity \{id: \d+\}\) CREATE \(a\)-\[:\w+ \{id: \d+, document_id: S, "
        r"document: S, page: \d+, start: \d+, end: \d+, quote: S\}\]->\(b\);"
    )
    assert all(re.fullmatch(f"{node}|{edge}", line) for line in bare[1:])
    assert sum(line.startswith("CREATE (") for line in lines) == len(await built.names())


async def test_an_export_is_for_those_who_may_use_the_collection(built: Any) -> None:
    path = "/v1/graphs/default/export"
    assert (await built.http.get(path, headers=built.key("other"))).status_code == 403
    assert (await built.http.get(path, params={"format": "exe"})).status_code == 422
    assert (await built.http.get("/v1/graphs/nothing/export")).status_code == 404
