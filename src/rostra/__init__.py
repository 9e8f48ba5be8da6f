"""Rostra: publish what you make with Python, each thing on its own Python."""

__version__ = "0.1.0"
