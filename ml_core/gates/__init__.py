"""Gates: what a candidate must be to become champion; each a callable, duel -> verdict."""
