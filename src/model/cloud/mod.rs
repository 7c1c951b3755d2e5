//! The cloud as values: what is deployed and what is wanted in, what is to be done out; hosts, answers,
//! credentials and waiting times as pure functions.

pub mod answer;
pub mod endpoint;
pub mod exposure;
pub mod key;
pub mod mark;
pub mod plan;
pub mod profile;
pub mod records;
pub mod request;
pub mod retry;
pub mod token;
