"""Samples as running processes."""

from support.samples import *  # noqa: F403
