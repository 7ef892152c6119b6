"""Scene → text or bytes: SVG, TikZ, Mermaid, PNG, PDF."""
