"""The pages of the library and the editor, and a template while it is edited.

From outside: `drafts`, by logsui; the pages, by urls. May import library, models and language.
"""
