"""What a person at a terminal sees: the log, progress bars, Ctrl-C."""
