//! A program in, the same program in a network of its own out, where 169.254.169.254 is fnscaffold's
//! metadata service for whatever asks. Only Linux has such networks.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod netlink;
#[cfg(not(target_os = "linux"))]
mod none;

#[cfg(target_os = "linux")]
pub use linux::{Gate, entered, program, refused};
#[cfg(not(target_os = "linux"))]
pub use none::{Gate, entered, program, refused};
