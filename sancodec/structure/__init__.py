"""What the integers of a record hide: grids of values, a resampling, leads made of others."""
