"""What `python -m gumbel_core` runs: a module for each command. Nothing else in the core prints."""
