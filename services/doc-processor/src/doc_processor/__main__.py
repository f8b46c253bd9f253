"""`python -m doc_processor` runs the doc-processor."""

from doc_processor.app import create
from doc_processor.settings import DocProcessorSettings
from service_kit.server import main

main(create, DocProcessorSettings, 8003)
