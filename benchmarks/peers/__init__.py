"""The same work on other runtimes, measured beside moonward on one machine in one run. `make bench-peers` runs it.

A **unit** is what each of them offers for something that goes on, asks, and waits for an answer: a session, a thread of
a graph, a workflow, an actor, a kernel. It asks question 1, is given an answer, asks question 2, and so on for ever;
questions and answers are 64 bytes. `trial.py` says what is measured of it.

Each peer is one file in `programs/`, written as its own documentation writes such a program, and runs in a process of
its own with the interpreter of `.venv-peers`, which knows nothing of moonward. moonward is one of them, in its own
environment. What cannot be installed, or fails, is a line of the table that says so.
"""
