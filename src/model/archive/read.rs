//! A ZIP from anywhere in, its files or a finding out.
pub struct Archive;
pub struct Entry;
