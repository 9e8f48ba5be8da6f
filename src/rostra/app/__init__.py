"""The control process: the only room that knows every room. Opens what lives as long as it does, wires it, serves."""

import signal

REFUSED = 78  # exit status (EX_CONFIG) of a process that has said why it cannot run: do not start it again
STOP_EVERYTHING = signal.SIGUSR1  # end all content, then yourself; SIGTERM leaves content to the next control process
