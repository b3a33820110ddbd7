"""What each family of models takes, as data with its date and sources, and what becomes of the settings that it does not take.

From outside: used by the writers of `translation`. May import content, errors and the neutral form.
"""
