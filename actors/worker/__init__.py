"""What runs inside a worker process. Imports nothing of the host's side but the wire."""
