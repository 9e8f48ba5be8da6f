"""Documents: how a notebook becomes a page, and which file of a rendering a visitor's path names.

Promises that a failed or cancelled render leaves neither a process nor a half-written folder. Knows nothing of HTTP,
of schedules or of who may look.
"""
