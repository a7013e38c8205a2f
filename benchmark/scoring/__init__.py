"""Scoring: from predictions and labels to scores with intervals. Works without torch."""
