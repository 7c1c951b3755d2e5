//! DOORS: the only code that touches the world. Doors stand on nouns.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the law of this folder: what others may not touch is touched here"
)]

pub mod clock;
pub mod cloud;
pub mod disk;
pub mod emulator;
pub mod hold;
pub mod interrupt;
pub mod journal;
pub mod judging;
pub mod packing;
pub mod permissions;
pub mod progress;
pub mod stage;
pub mod terminal;
