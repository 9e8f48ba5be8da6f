"""The steps that bring an older database to what this release expects, in order."""
