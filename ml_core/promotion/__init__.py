"""Promotion: a candidate judged against the champion, the move, its history, and the way back."""
