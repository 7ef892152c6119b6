"""Turn Graph into Graph: fold, roll, compare, choose; `views` calls it."""
