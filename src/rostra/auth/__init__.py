"""Who is asking: people, sessions, keys. What a person may do to an item is `content.access`, not here."""
