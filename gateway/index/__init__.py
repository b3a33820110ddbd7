"""How one log is found among millions: facets as data, bitmaps in blocks, full text, and the language that asks for them.

From outside: `search` and `search_language`, by pages and api; `blocks`, `facets.Entry` and `full_text`, by
whoever writes logs.
May import models.
"""
