"""A request's way in and its answer's way out: front gate, headers, routing, intake, relay, refusals.

From outside: `front_gate` and `proxy`, by processes; `gateway_headers` and `answer_headers`, by api.
May import upstream, recording and keys, and what is below them.
"""
