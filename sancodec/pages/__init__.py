"""Pages for a browser that are one file each: nothing is fetched, whatever they show is in them."""
