"""What the pages share: controls, the in-place figure, the temperature scrub, the code box, downloads."""
