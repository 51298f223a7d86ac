"""Models shipped with the package: list and load."""
