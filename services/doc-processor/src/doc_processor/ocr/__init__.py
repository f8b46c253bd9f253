"""Optical character recognition of page images."""
