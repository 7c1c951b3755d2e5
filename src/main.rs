//! The program; all that it does is in the library beside it, where benches and fuzz targets reach it too.
use std::process::ExitCode;

fn main() -> ExitCode {
    fnscaffold::main()
}
