"""Where and how many: starts processes in a sandbox, keeps their number right, keeps their logs bounded.

Knows nothing of content: it is handed a `Launch`. Promises that ending a process ends its whole tree.
"""
