"""How the training went: OP6xx."""
