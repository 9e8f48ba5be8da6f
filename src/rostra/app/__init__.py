"""The control process: the only room that knows every room. Opens what lives as long as it does, wires it, serves."""
