"""How Loupe dials: the HTTP client of the fast path, the guarded client for addresses that a request named, and which
addresses that one may dial.

From outside: all three. Imports nothing of the gateway.
"""
