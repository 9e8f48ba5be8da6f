"""Mail: written into an outbox within the transaction of what it tells of, and sent from there.

A crash loses none. One that was being handed over when the server died is handed over again under the same Message-ID.
"""
