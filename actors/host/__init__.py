"""What a script may ask of the host: packages, state, cards."""
