"""Supervised, durable Lua sessions for Python hosts."""
