"""The prompts of a workspace: looked up by name, loaded for memory, written, labelled, kept in folders.

From outside: everything. May import models and language.
"""
