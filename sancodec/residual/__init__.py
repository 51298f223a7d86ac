"""What the SAN layer leaves of a chunk, coded."""
