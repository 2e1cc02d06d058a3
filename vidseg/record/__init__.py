"""The run folder: one reader and one writer of each file in it. Knows nothing about who wants them."""
