"""Where a call goes and how: the call made ready, its credential, what its provider refuses and how it fails, the sandbox.

From outside: `call` and `outbound`, by proxy; `connection_check`, by the page Keys. May import keys, pictures (to decode
for the sandbox) and below; knows nothing of the journal.
"""
