"""Sweeps: many runs from one command. All that is known of a job comes from its folder; torch is never loaded."""
