"""The protocols of the frameworks whose code runs once a session is open; one module each."""
