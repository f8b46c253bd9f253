"""`python -m rag_service` runs the rag-service."""

from rag_service.app import create
from rag_service.settings import RagSettings
from service_kit.server import main

main(create, RagSettings, 8001)
