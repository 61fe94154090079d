"""The report of an experiment: from the files of its runs to tables, tests, charts and one page.

``results`` reads the runs; ``tables``, ``training`` and ``comparisons`` (on ``significance``) make tables of
them, ``charts`` and ``gain_charts`` (on ``groups``) figures, with ``style`` and ``labels``; ``plots``,
``page`` (on ``headings``) and ``outputs`` write the files. Shapes: U test users, M measures.
"""
