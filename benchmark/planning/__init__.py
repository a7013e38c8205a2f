"""Before a run: the data, the grids and the requests, and the units that they come to."""
