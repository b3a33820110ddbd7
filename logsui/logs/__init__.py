"""The list of logs: what its address asks for, rows and contact sheet, filters, chart, saved views, export.

From outside: `log_list.row_version` and `is_settled`, by the templates' filters. May import access and archive, no other room.
"""
