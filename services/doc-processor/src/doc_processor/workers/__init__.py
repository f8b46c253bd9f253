"""Processes in which documents are parsed, so that no file can take the service down with it."""
