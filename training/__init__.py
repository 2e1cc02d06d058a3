"""Trains the weights of ``model=nano``. Not part of the package: see README.md beside this file."""
