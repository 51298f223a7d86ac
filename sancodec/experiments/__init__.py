"""The experiments of the SAN paper (section IV), run anew and set beside the paper's numbers."""
