"""Tables of published papers, transcribed; installed as `benchmark.literature`."""
