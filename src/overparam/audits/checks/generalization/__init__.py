"""What the test error is made of, and what would lower it: OP3xx."""
