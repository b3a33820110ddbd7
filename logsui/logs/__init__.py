"""The list of logs: what its address asks for, rows and contact sheet, filters, chart, saved views, export.

May import access and archive, no other room.
"""
