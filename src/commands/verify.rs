//! `verify`: rebuilds in memory and compares with `dist/`, byte for byte.

use std::io;

use clap::Args;
use serde_json::json;

use crate::commands::Context;
use crate::model::archive::Level;
use crate::model::finding::{self, Exit, Finding, Result};
use crate::model::manifest::Manifest;
use crate::model::package;
use crate::model::project::DIST;
use crate::model::version::{self, VersionSpec};
use crate::outside::disk;
use crate::outside::packing;
use crate::outside::terminal::Format;
