"""The control process: the only room that knows every room. Opens what lives as long as it does, wires it, serves."""

REFUSED = 78  # exit status (EX_CONFIG) of a process that has said why it cannot run: do not start it again
