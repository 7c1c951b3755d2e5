//! fnscaffold: scaffold, package, check and prove functions for Yandex Cloud Functions.
mod model;
mod outside;

fn main() {}
