"""Datasets: clip tables read by layouts, splits made by rules, and synthetic stand-ins."""
