"""The convex additive fit: design, penalties, penalised IRLS, smoothness selection."""
