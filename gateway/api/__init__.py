"""What Django answers below /v1: logs, feedback, prompts, labels. Not on the fast path.

From outside: the views and `access.failed`, by urls; `logs.find_image`, `summary` and `whole`, by logsui. May import proxy and below.
"""
