"""Picture sets and runs over them, as rows; their cases as files, and the checks on answers.

From outside: everything. May import library, models and language.
"""
