"""Schema changes, one file each; a released one is never edited."""
