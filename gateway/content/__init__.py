"""Bytes and JSON: cut, edited, parsed, unpacked and recognized; what may be written down of them. Pure.

From outside: everything. Imports nothing of the gateway.
"""
