"""Inputs, kills, full disks and broken services that a run has to live through: `make torture` and `make soak`."""
