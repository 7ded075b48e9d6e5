"""The record of every session: entries, their encoding, and the stores that keep them."""
