"""Which rows are known by heart, and at what price: OP2xx."""
