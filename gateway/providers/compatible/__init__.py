"""Vendors that speak OpenAI's format under an address of their own."""
