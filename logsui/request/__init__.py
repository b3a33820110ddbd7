"""One request: its conversation, bodies, pictures and figures; copied as code, replayed, compared, judged.

From outside: `conversation`, `detail.find_log` and `replay.model_of`, by logsui.prompts; `highlight`, by the templates' filters.
May import access and archive, no other room.
"""
