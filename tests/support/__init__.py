"""What several tests share: real interpreters, real servers, real clients."""
