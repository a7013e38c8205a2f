"""Video: which frames of a clip are read, from where, and the cache of decoded frames."""
