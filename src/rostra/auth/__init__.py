"""Who is asking: people, sessions, keys. Knows nothing of content; what a person may do to an item is `content.access`."""
