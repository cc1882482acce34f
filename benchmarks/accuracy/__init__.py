"""Scenes with exact truth, for measuring accuracy without footage."""
