"""Supervision trees for pykka actors and operating-system processes."""
