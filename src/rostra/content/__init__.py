"""What was published, by whom, for whom: items, bundles, access, deploying.

Promises that a failed deploy changes nothing a visitor can see and that re-publishing keeps an item's settings.
"""
