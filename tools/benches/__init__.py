"""The parts of `tools/bench.py`: problems, contestants, the stop-watch and the tables."""
