"""What a user at a terminal sees and does: the log, progress bars, Ctrl-C."""
