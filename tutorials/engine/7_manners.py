"""Step 7: manners. Nothing new to write: mend what the tests find."""
