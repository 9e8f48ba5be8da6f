"""Which interpreters this server has, whether each can be used, and which one a piece of content gets.

Promises that the choice is a pure function of (request, policy, runtimes) and always comes with its reason.
Does not build environments and does not know content.
"""
