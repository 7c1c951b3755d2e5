//! Lists of files in, directories out.

use std::fs;
use std::path::Path;

pub const MANIFEST: &str = "name = 'my-app'\n[version]\nruntime = 'nodejs22'\nentrypoint = 'index.main'\n";

/// Writes files in the order given.
pub fn write_all<P: AsRef<str>, B: AsRef<[u8]>>(directory: &Path, files: &[(P, B)]) {
    for (path, bytes) in files {
        let place = directory.join(path.as_ref());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, bytes.as_ref()).unwrap();
    }
}
