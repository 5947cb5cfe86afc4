"""Charts described once, drawn as PNG for the ledger and as SVG for the page; and the page itself."""
