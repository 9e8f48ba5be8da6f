"""What `renderers` and `warm_parent` say to each other; apart, because only the parent needs its libraries."""

READY, FORK, BYE = b"ready", b"fork", b"bye"
