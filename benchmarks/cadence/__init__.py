"""How fast a run is there and done, in this project and with Dagster's stock parts, at several cadences."""
