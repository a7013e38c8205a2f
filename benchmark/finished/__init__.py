"""Finished runs read from their files: scored again, compared, put into tables."""
