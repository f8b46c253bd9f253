"""`/v1/graphs`, `/v1/entities`, `/v1/relations`, `/v1/paths` and `/v1/evidence`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import StreamingResponse

from graph_service.communities import Communities
from graph_service.entities import Entities
from graph_service.evidence import EvidenceSearch
from graph_service.export import WRITERS, Export, Format
from graph_service.graphs import Graphs
from graph_service.neighbourhood import Neighbourhoods
from graph_service.paths import Paths
from graph_service.schemas import (
    CollectionName,
    CommunityOut,
    EntityDetail,
    EntityId,
    EntityOut,
    EvidenceIn,
    EvidenceOut,
    GraphIn,
    GraphOut,
    JobOut,
    MentionOut,
    MergeIn,
    NeighbourhoodOut,
    NeighbourOut,
    PathOut,
    RelationOut,
    SplitIn,
    StepOut,
)
from graph_service.tables import Entity
from service_kit import jobs
from service_kit.auth import User
from service_kit.errors import InvalidInput
from service_kit.pages import Cursor, Limit, Page

router = APIRouter(prefix="/v1")
_EVIDENCE = 3
"""Sentences that are shown of each step of a path."""


@dataclass(frozen=True, slots=True)
class GraphState:
    """The use cases of the service."""

    graphs: Graphs
    entities: Entities
    neighbourhoods: Neighbourhoods
    communities: Communities
    paths: Paths
    export: Export
    evidence: EvidenceSearch


def state_of(request: Request) -> GraphState:
    state: GraphState = request.app.state.graph
    return state


State = Annotated[GraphState, Depends(state_of)]
Type = Annotated[str | None, Query(alias="type", max_length=50, description="Entities of this type only")]
job_router = jobs.routes(lambda request: state_of(request).graphs.jobs, JobOut)


@router.post("/graphs", status_code=202, tags=["graphs"])
async def build_graph(given: GraphIn, state: State, user: User) -> JobOut:
    """Build a collection's graph, or bring it up to date: a job reads the documents that have changed."""
    return JobOut.model_validate(await state.graphs.build(given.collection, given.again, user))


@router.get("/graphs", tags=["graphs"])
async def list_graphs(state: State, user: User) -> list[GraphOut]:
    """List the graphs of the collections that the key may use."""
    return [GraphOut.model_validate(graph) for graph in await state.graphs.listing(user)]


@router.get("/graphs/{collection}", tags=["graphs"])
async def get_graph(collection: CollectionName, state: State, user: User) -> GraphOut:
    """Say what a graph holds, and how far its newest build is."""
    return GraphOut.model_validate(await state.graphs.get(collection, user))


@router.delete("/graphs/{collection}", status_code=204, tags=["graphs"])
async def delete_graph(collection: CollectionName, state: State, user: User) -> None:
    """Delete a graph; the documents stay."""
    await state.graphs.delete(collection, user)


@router.get("/graphs/{collection}/export", tags=["graphs"], response_class=StreamingResponse)
async def export_graph(
    collection: CollectionName,
    state: State,
    user: User,
    format_: Annotated[
        Format, Query(alias="format", description="GraphML, JSON-LD, a table, or statements for Neo4j")
    ] = "graphml",
) -> StreamingResponse:
    """Export a graph, each relation with the sentence that says so."""
    await state.graphs.get(collection, user)
    writer = WRITERS[format_]
    headers = {
        "Content-Disposition": f'attachment; filename="{collection}.{writer.suffix}"',
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(state.export.pieces(collection, writer), media_type=writer.media_type, headers=headers)


@router.get("/graphs/{collection}/communities", tags=["graphs"])
async def list_communities(
    collection: CollectionName, state: State, user: User, limit: Limit = 20, cursor: Cursor = None
) -> Page[CommunityOut]:
    """List groups of entities that sentences name together, the biggest first, each with those that are mentioned most."""
    await state.graphs.get(collection, user)
    found = await state.communities.of(collection, limit, cursor)
    return Page(items=[CommunityOut.model_validate(row) for row in found.items], next_cursor=found.next_cursor)


@router.get("/entities", tags=["entities"])
async def list_entities(
    state: State,
    user: User,
    collection: CollectionName = "default",
    q: Annotated[str, Query(max_length=200, description="Part of one of its names")] = "",
    type_: Type = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[EntityOut]:
    """List or search entities, those that are mentioned most first."""
    found = await state.entities.listing(collection, q.strip(), type_, limit, cursor, user)
    return Page(items=[EntityOut.model_validate(row) for row in found.items], next_cursor=found.next_cursor)


@router.get("/entities/{entity_id}", tags=["entities"])
async def get_entity(entity_id: EntityId, state: State, user: User) -> EntityDetail:
    """Return an entity with its names, and its first mentions and relations."""
    entity = await state.entities.get(entity_id, user)
    return EntityDetail(
        **dict(EntityOut.model_validate(entity)),
        aliases=await state.entities.aliases(entity),
        mentioned=[MentionOut.model_validate(found) for found in (await state.entities.mentions(entity)).items],
        relations=[RelationOut.model_validate(found) for found in (await state.entities.relations_of(entity)).items],
    )


@router.get("/entities/{entity_id}/mentions", tags=["entities"])
async def list_mentions(
    entity_id: EntityId, state: State, user: User, limit: Limit = 50, cursor: Cursor = None
) -> Page[MentionOut]:
    """List where an entity is named."""
    found = await state.entities.mentions(await state.entities.get(entity_id, user), limit, cursor)
    return Page(items=[MentionOut.model_validate(row) for row in found.items], next_cursor=found.next_cursor)


@router.get("/entities/{entity_id}/relations", tags=["entities"])
async def list_relations_of(
    entity_id: EntityId,
    state: State,
    user: User,
    with_: Annotated[EntityId | None, Query(alias="with", description="Relations with this entity only")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[RelationOut]:
    """List what sentences say of an entity and others, or another."""
    entity = await state.entities.get(entity_id, user)
    other = None if with_ is None else await state.entities.get(with_, user)
    found = await state.entities.relations_of(entity, limit, cursor, other)
    return Page(items=[RelationOut.model_validate(row) for row in found.items], next_cursor=found.next_cursor)


@router.get("/entities/{entity_id}/neighbours", tags=["entities"])
async def list_neighbours(
    entity_id: EntityId, state: State, user: User, type_: Type = None, limit: Limit = 50
) -> list[NeighbourOut]:
    """List the entities that sentences name together with this one, those of most sentences first."""
    found = await state.entities.neighbours(await state.entities.get(entity_id, user), type_, limit)
    return [NeighbourOut.model_validate(row) for row in found]


@router.get("/entities/{entity_id}/neighbourhood", tags=["entities"])
async def get_neighbourhood(entity_id: EntityId, state: State, user: User, limit: Limit = 60) -> NeighbourhoodOut:
    """Return what is around an entity, to be drawn: those of most sentences, others behind them, and all edges between."""
    found = await state.neighbourhoods.around(await state.entities.get(entity_id, user), limit)
    return NeighbourhoodOut.model_validate(found)


@router.post("/entities/{entity_id}/merge", tags=["entities"])
async def merge_entities(entity_id: EntityId, given: MergeIn, state: State, user: User) -> EntityOut:
    """Say that other entities are this one; later builds keep it so."""
    entity = await state.entities.get(entity_id, user)
    others = [await state.entities.get(other, user) for other in given.entities]
    return EntityOut.model_validate(await state.entities.merge(entity, others))


@router.post("/entities/{entity_id}/split", status_code=201, tags=["entities"])
async def split_entity(entity_id: EntityId, given: SplitIn, state: State, user: User) -> EntityOut:
    """Say that some names of an entity are another one, which is returned; later builds keep it so."""
    entity = await state.entities.get(entity_id, user)
    return EntityOut.model_validate(await state.entities.split(entity, given.names))


@router.get("/relations", tags=["relations"])
async def list_relations(
    state: State,
    user: User,
    collection: CollectionName = "default",
    kind: Annotated[str | None, Query(max_length=50, description="Relations of this kind only")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[RelationOut]:
    """List the relations of a collection, each with the sentence that says so."""
    found = await state.entities.relations(collection, kind, limit, cursor, user)
    return Page(items=[RelationOut.model_validate(row) for row in found.items], next_cursor=found.next_cursor)


@router.get("/paths", tags=["relations"])
async def find_path(
    state: State,
    user: User,
    source: Annotated[EntityId, Query(alias="from", description="An entity")],
    target: Annotated[EntityId, Query(alias="to", description="Another of the same collection")],
) -> PathOut:
    """Find a shortest way from one entity to another, with sentences for each step."""
    one, other = await state.entities.get(source, user), await state.entities.get(target, user)
    if one.collection != other.collection or one.id == other.id:
        raise InvalidInput("a path leads from one entity to another of the same collection", field="to")
    steps = list(pairwise(await state.paths.shortest(one, other)))
    found = {identity: await state.entities.get(identity, user) for step in steps for identity in step}
    evidence = await state.entities.between(steps, _EVIDENCE)
    return PathOut(
        connected=bool(steps),
        steps=[_step(found[a], found[b], said) for (a, b), said in zip(steps, evidence, strict=True)],
    )


@router.post("/evidence", tags=["relations"])
async def find_evidence(given: EvidenceIn, state: State, user: User) -> EvidenceOut:
    """Find the entities that a question names, and the sentences that join them with each other and with their neighbours."""
    found = await state.evidence.find(given.collection, given.question, given.limit, user)
    return EvidenceOut.model_validate(found)


def _step(source: Entity, target: Entity, said: Sequence[object]) -> StepOut:
    relations = [RelationOut.model_validate(each) for each in said]
    return StepOut(
        source=EntityOut.model_validate(source), target=EntityOut.model_validate(target), relations=relations
    )
