"""Vendors whose address is a customer's own, and how their credentials are shown."""
