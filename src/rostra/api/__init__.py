"""The HTTP interface of publishing clients, under ``/__api__``. Parse, call one function, shape the answer.

The wire's words (``guid``, ``app_mode``, ``bundle_id``) are used here and nowhere deeper.
"""
