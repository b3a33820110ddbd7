"""What runs, and what it is made of: server, worker, their supervisor, first-run set-up, the runner of picture sets.

From outside: `server` by asgi, the rest by the commands. May import every room below.
"""
