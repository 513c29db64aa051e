"""What is amiss with the data before any model is trained: OP5xx."""
