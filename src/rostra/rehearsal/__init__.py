"""What would happen to every item if an interpreter were retired: found by really trying, aside from what is live.

Nothing live is touched: environments are built aside, processes are started where no visitor reaches them, documents
are rendered into folders that are thrown away.
"""
