"""The server's own records: one engine, one transaction per request or job, SQLite or PostgreSQL alike."""
