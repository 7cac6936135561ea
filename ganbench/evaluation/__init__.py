"""Extractors, distances, modes, collapse."""
