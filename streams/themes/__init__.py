"""Emerging themes: a reader of `siaga.scored.v1` beside the workers, at no cost to their path."""
