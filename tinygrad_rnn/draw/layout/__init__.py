"""Graph → Scene: where each box and wire goes."""
