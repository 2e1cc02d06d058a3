"""Scores of masks."""
