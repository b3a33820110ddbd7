"""The language of templates: Mustache, and messages rendered from it. Pure.

From outside: everything. Imports nothing of prompts.
"""
