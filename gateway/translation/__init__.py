"""From the OpenAI shapes that callers speak to the wire formats that providers speak, and back. Pure: no network, no database.

neutral    what a request and an answer mean, whatever wrote them
media      every spelling of a picture or file, read once
chat, responses                 the two shapes that callers speak, both ways
anthropic, gemini, converse     the wire formats of providers
translator  one call's answer on its way back, whole or streaming

From outside: `translator`, `neutral`, `media`, `images`. May import content.
"""
