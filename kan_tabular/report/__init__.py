"""A fitted model as one page: what it was made of, how well it does, and a panel that computes it live."""
