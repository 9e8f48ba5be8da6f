"""Measurements side by side with peers, in the same run. Never part of the tests: speed depends on the machine."""
