"""Picture sets, their files, runs over them and comparisons.

From outside: the views, by urls. May import request, logs and below.
"""
