"""Fault injection for users' own resilience tests."""
