"""Give each box and wire its coordinates: Graph → Scene; `views` calls it."""
