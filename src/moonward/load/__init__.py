"""Loading sessions with questions and measuring how long the answers take: what `moonward bench` is made of."""
