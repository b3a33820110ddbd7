"""A request's way in and its answer's way out: front gate, options, routing, inbound, relay, refusals.

From outside: `front_gate` and `proxy`, by processes; `call_options` and `answer_headers`, by api.
May import upstream, recording and keys, and what is below them.
"""
