"""Servers over a Runtime; each needs an extra."""
