"""Layers of curves with hand-written derivatives, each beside the plain form it is tested against."""
