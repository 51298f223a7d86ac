"""Files and bytes: the container, WFDB records, arrays. No signal processing."""
