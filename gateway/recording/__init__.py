"""From the journal to rows: the file format and its promises, ingest, one flow to its rows, cost, feedback, bodies read back.

From outside: `journal`, by proxy; `ingest`, by the worker; `bodies`, `feedback` and `pricing`, by api and logsui.
May import pictures and below; knows nothing of providers' addresses or keys.
"""
