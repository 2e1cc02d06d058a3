"""The run folder: one writer and one reader for each file in it. Knows nothing about who uses them."""
