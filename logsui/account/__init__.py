"""Login, the account's settings, keys, and how to connect.

From outside: the views, by urls. May import access, no other room.
"""
