"""How large the model is for these data: OP1xx."""
