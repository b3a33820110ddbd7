"""Loupe's commands, thin; and prompts as a folder of files, which only a command reads and writes.

From outside: nothing. May import every room.
"""
