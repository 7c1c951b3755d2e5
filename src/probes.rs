//! What benches and fuzz targets may reach of the library. It is no interface of the crate.

pub mod timed;
