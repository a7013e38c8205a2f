"""Layers that several methods share; a method's own model is in its folder."""
