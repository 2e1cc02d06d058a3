"""Experiment trackers: where runs are recorded beside their folders."""
