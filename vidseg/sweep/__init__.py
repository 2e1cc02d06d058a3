"""Many runs from one command: their list, what is skipped, the record and the table at the end.

The jobs themselves run wherever Hydra's launcher puts them, so nothing here asks them for anything: what is known of a
job is what its folder says. Light, except for the tracker at the end: torch is never loaded.
"""
