"""Networks with hidden layers: many members trained in one program, ending in a fitted network of curves."""
