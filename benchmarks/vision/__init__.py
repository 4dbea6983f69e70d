"""The vision line's figures: one module a part, each with ``KEYS`` and ``measure``; ``__main__`` runs them in order."""
