"""`python -m rostra` is the command `rostra`."""

from rostra.cli.main import main

main()
