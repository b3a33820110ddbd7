"""Places on pictures that models write down: boxes, points and polygons, found in their words and put where they belong."""
