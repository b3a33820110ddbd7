"""How words are drawn: Markdown, formulas, and code in colours."""
