"""Many training runs for one question: a grid, the workers that carry it out, and what came of it."""
