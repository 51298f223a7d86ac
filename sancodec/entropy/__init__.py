"""Entropy coding in integer arithmetic: binary models, rANS, tables."""
