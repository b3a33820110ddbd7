"""How one log is found among millions: facets as data, bitmaps in blocks, full text, and the language that asks for them."""
