"""One file a tracking product; each the only importer of its library."""
