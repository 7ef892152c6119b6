"""Random programs run with torch and with this engine, which must agree: a writer of programs, an
interpreter for both libraries, and what makes a failing program small."""
