"""What the model gives away of its training rows: OP4xx."""
