"""Entities and relations of a passage: by patterns in this process, or by the text model."""

from graph_service.extraction.base import Extraction, Extractor, Found, Passage, Related

__all__ = ["Extraction", "Extractor", "Found", "Passage", "Related"]
