"""What an OpenTelemetry collector is told: each log that ended, as spans. From outside: `SpanExport`, which the worker runs.

May import recording and what is below.
"""
