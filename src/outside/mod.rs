//! DOORS: the only code that touches the world. Doors stand on nouns.
