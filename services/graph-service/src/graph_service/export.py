"""A graph in the formats of other programs: GraphML, JSON-LD, CSV and Cypher; in pieces, so that size does not matter.

Every relation is an edge of its own, with the sentence that says so. Names and sentences are documents' words: they are quoted as
each format wants it, and no cell of the CSV is a formula.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from xml.sax.saxutils import escape, quoteattr

from sqlalchemy import select
from sqlalchemy.orm import aliased

from graph_service.tables import Document, Entity, Name, Relation, Sentence
from service_kit.database import Database

Format: TypeAlias = Literal["graphml", "jsonld", "csv", "cypher"]
_ROWS = 2000
# What XML 1.0 can't hold (https://www.w3.org/TR/xml/#charsets).
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# A spreadsheet takes a cell that begins so for a formula (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA = ("=", "+", "-", "@")
_COLUMNS = "subject_id subject subject_type kind object_id object object_type document_id document page start end quote".split()
_SCHEMA_ORG = {
    "person": "Person",
    "organisation": "Organization",
    "place": "Place",
    "event": "Event",
    "product": "Product",
}


@dataclass(frozen=True, slots=True)
class Edge:
    """A relation as it is exported."""

    id: int
    kind: str
    subject: int
    object: int
    document_id: str
    document: str
    page: int
    start: int
    end: int
    quote: str

    @property
    def evidence(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("document_id", "document", "page", "start", "end", "quote")}


@dataclass(frozen=True, slots=True)
class Writer:
    """One format: what stands before and behind; and how a node and an edge are written.

    `edge` gets the entities by their ids.
    """

    media_type: str
    suffix: str
    head: str
    node: Callable[[Entity], str]
    edge: Callable[[Edge, dict[int, Entity]], str]
    tail: str = ""


class Export:
    """Writes a collection's graph."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pieces(self, collection: str, writer: Writer) -> AsyncGenerator[str, None]:
        """Yield the file; an edge to an entity that has come meanwhile is left out."""
        entities: dict[int, Entity] = {}
        yield writer.head
        async for some in self._entities(collection):
            entities.update((entity.id, entity) for entity in some)
            if nodes := "".join(map(writer.node, some)):
                yield nodes
        async for edges in self._edges(collection):
            known = (edge for edge in edges if edge.subject in entities and edge.object in entities)
            if written := "".join(writer.edge(edge, entities) for edge in known):
                yield written
        yield writer.tail

    async def _entities(self, collection: str) -> AsyncGenerator[list[Entity], None]:
        last = 0
        while True:
            statement = select(Entity).where(Entity.collection == collection, Entity.id > last).order_by(Entity.id)
            async with self._database.reading() as session:
                rows = list(await session.scalars(statement.limit(_ROWS)))
            if not rows:
                return
            yield rows
            last = rows[-1].id

    async def _edges(self, collection: str) -> AsyncGenerator[list[Edge], None]:
        subject, object_ = aliased(Name), aliased(Name)
        statement = (
            select(
                Relation.id,
                Relation.kind,
                subject.entity_id,
                object_.entity_id,
                Sentence.document_id,
                Document.title,
                Sentence.page,
                Sentence.start,
                Sentence.end,
                Sentence.text,
            )
            .join(subject, Relation.subject_id == subject.id)
            .join(object_, Relation.object_id == object_.id)
            .join(Sentence, Relation.sentence_id == Sentence.id)
            .join(Document, Sentence.document_id == Document.id)
            .where(subject.collection == collection, subject.entity_id != object_.entity_id)
            .order_by(Relation.id)
            .limit(_ROWS)
        )
        last = 0
        while True:
            async with self._database.reading() as session:
                rows = (await session.execute(statement.where(Relation.id > last))).all()
            if not rows:
                return
            yield [Edge(*values) for values in map(tuple, rows)]
            last = rows[-1].id


def _xml(text: str) -> str:
    return escape(_NOT_XML.sub("", text))


def _data(values: dict[str, Any]) -> Iterator[str]:
    return (f'<data key="{name}">{_xml(str(value))}</data>' for name, value in values.items())


def _graphml_node(entity: Entity) -> str:
    values = {"name": entity.name, "type": entity.type, "mentions": entity.mentions}
    return f'<node id="e{entity.id}">{"".join(_data(values))}</node>\n'


def _graphml_edge(edge: Edge, _: dict[int, Entity]) -> str:
    values = {"kind": edge.kind, **edge.evidence}
    ends = f'id="r{edge.id}" source="e{edge.subject}" target="e{edge.object}"'
    return f"<edge {ends}>{''.join(_data(values))}</edge>\n"


def _graphml_keys() -> Iterator[str]:
    numbers = ("mentions", "page", "start", "end")
    for kind, names in (("node", "name type mentions"), ("edge", "kind document_id document page start end quote")):
        for name in names.split():
            type_ = "int" if name in numbers else "string"
            yield f'<key id="{name}" for="{kind}" attr.name={quoteattr(name)} attr.type="{type_}"/>\n'


_GRAPHML = Writer(
    "application/graphml+xml",
    "graphml",
    '<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    + "".join(_graphml_keys())
    + '<graph edgedefault="directed">\n',
    _graphml_node,
    _graphml_edge,
    "</graph>\n</graphml>\n",
)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True)


def _jsonld_node(entity: Entity) -> str:
    node = {
        "@id": f"urn:switchyard:entity:{entity.id}",
        "@type": _SCHEMA_ORG.get(entity.type, "Thing"),
        "name": entity.name,
        "additionalType": entity.type,
    }
    return f",\n{_json(node)}"


def _jsonld_edge(edge: Edge, _: dict[int, Entity]) -> str:
    node = {
        "@id": f"urn:switchyard:relation:{edge.id}",
        "@type": "rdf:Statement",
        "rdf:subject": {"@id": f"urn:switchyard:entity:{edge.subject}"},
        "rdf:predicate": {"@id": f"urn:switchyard:kind:{edge.kind}"},
        "rdf:object": {"@id": f"urn:switchyard:entity:{edge.object}"},
        "citation": {
            "@type": "Quotation",
            "text": edge.quote,
            "isPartOf": {"@id": f"urn:switchyard:document:{edge.document_id}", "name": edge.document},
            "pagination": str(edge.page),
        },
    }
    return f",\n{_json(node)}"


_CONTEXT = {"@vocab": "https://schema.org/", "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#"}
_GRAPH = {"@id": "urn:switchyard:graph", "@type": "Dataset"}
_JSONLD = Writer(
    "application/ld+json",
    "jsonld",
    f'{{"@context": {_json(_CONTEXT)},\n"@graph": [{_json(_GRAPH)}',
    _jsonld_node,
    _jsonld_edge,
    "]}\n",
)


def _row(values: list[Any]) -> str:
    cells = [
        f"'{value}" if isinstance(value, str) and value.lstrip().startswith(_FORMULA) else value for value in values
    ]
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _csv_edge(edge: Edge, entities: dict[int, Entity]) -> str:
    ends = [entities[edge.subject], entities[edge.object]]
    subject, object_ = ([entity.id, entity.name, entity.type] for entity in ends)
    return _row([*subject, edge.kind, *object_, *edge.evidence.values()])


_CSV = Writer("text/csv; charset=utf-8", "csv", _row(_COLUMNS), lambda _: "", _csv_edge)


def _label(word: str) -> str:
    return re.sub(r"\W", "_", word.title().replace("-", ""))


# Strings are quoted as in JSON, whose escapes Cypher has too: https://neo4j.com/docs/cypher-manual/current/syntax/parsing/
def _cypher_node(entity: Entity) -> str:
    about = f"id: {entity.id}, name: {_json(entity.name)}, mentions: {entity.mentions}"
    return f"CREATE (:Entity:{_label(entity.type)} {{{about}}});\n"


def _cypher_edge(edge: Edge, _: dict[int, Entity]) -> str:
    about = ", ".join(
        f"{name}: {_json(value) if isinstance(value, str) else value}"
        for name, value in {"id": edge.id, **edge.evidence}.items()
    )
    kind = re.sub(r"\W", "_", edge.kind).upper()
    ends = f"MATCH (a:Entity {{id: {edge.subject}}}), (b:Entity {{id: {edge.object}}})"
    return f"{ends} CREATE (a)-[:{kind} {{{about}}}]->(b);\n"


_CYPHER = Writer(
    "text/plain; charset=utf-8",
    "cypher",
    "CREATE INDEX entity_id IF NOT EXISTS FOR (e:Entity) ON (e.id);\n",
    _cypher_node,
    _cypher_edge,
)
WRITERS: dict[Format, Writer] = {"graphml": _GRAPHML, "jsonld": _JSONLD, "csv": _CSV, "cypher": _CYPHER}
