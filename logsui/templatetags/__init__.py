"""What templates write by: figures, pictures in boxes, the place in the rail.

From outside: `figures`, loaded by the templates of logsui and prompts. May import request and logs.
"""
