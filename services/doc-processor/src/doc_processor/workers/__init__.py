"""Processes in which documents are parsed, so that no file can crash the service."""
