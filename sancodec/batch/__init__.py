"""Whole archives: every record of a tree to a .san file at its place, and back."""
