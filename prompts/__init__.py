"""Templates with image variables, their versions and their rendering.

A leaf of the house: knows nothing about HTTP to providers and imports neither gateway nor logsui.
"""
