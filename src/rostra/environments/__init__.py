"""Which packages: turns a bundle's requirements into an immutable environment named by its key.

Promises that an environment is ready or absent, that equal keys share one, and that code from a bundle never runs
outside the build shell, nor with anything shared writable, while packages are installed.
"""
