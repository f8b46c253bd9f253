"""`python -m graph_service` runs the graph-service."""

from graph_service.app import create
from graph_service.settings import GraphSettings
from service_kit.server import main

main(create, GraphSettings, 8004)
