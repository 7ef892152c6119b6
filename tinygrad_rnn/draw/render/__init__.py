"""Write a Scene as text: one painter with SVG, DOT and TikZ as brushes; for `drawing`."""
