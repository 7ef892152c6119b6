"""Scene → text: one painter with SVG, DOT and TikZ as its brushes; Graphviz for all else."""
