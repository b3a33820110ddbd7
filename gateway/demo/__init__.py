"""Sample logs with drawn pictures, up to millions: to try the log browser on, and to measure it with.

From outside: `logs`, by the command demo. May import recording, pictures and below.
"""
