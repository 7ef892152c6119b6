"""The parts of the site: pages from the repository, the reference, Pyodide, the link check."""
