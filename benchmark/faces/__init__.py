"""Faces: where they are in a frame, who is whom over a clip, and the crops that datasets are made of."""
