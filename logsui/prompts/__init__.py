"""What the prompt editor needs of the gateway: a try-out, pictures from the log, what each prompt was used for.

From outside: the views, by urls. May import request, logs and below; the editor itself is in the package prompts.
"""
