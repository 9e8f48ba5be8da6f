"""Long work: a durable queue in the server's own database, and tasks whose progress a client can follow.

Delivery is at least once: a worker that dies loses its lease and the work is handed out again, so handlers are safe to
repeat.
"""
