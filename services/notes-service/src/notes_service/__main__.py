"""`python -m notes_service` runs the notes-service."""

from notes_service.app import create
from notes_service.settings import NotesSettings
from service_kit.server import main

main(create, NotesSettings, 8002)
