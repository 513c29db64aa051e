"""Training: recipes, requests of cells, the stacked engine, closed-form solvers."""
