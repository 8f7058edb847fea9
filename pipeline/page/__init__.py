"""Results as one HTML file that needs no network, as figures, and as Markdown."""
