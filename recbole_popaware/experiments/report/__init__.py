"""What is made of results: tables, tests, charts and one page."""
