//! `fogbank lab down`: clears a lab, also what a killed one left.

use std::fs;
use std::io;

use super::place::{Name, ROOT};
use super::{processes, topology};
use crate::server::BoxError;

/// Ends the lab's processes, then removes its namespaces and its folder.
///
/// # Errors
/// Something could not be removed.
pub fn down(name: &Name) -> Result<(), BoxError> {
    let left = processes::end(name);
    if !left.is_empty() {
        return Err(format!("processes of the lab do not end: {left:?}").into());
    }
    topology::remove(name)?;
    match fs::remove_dir_all(name.folder()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(format!("cannot remove {}: {error}", name.folder().display()).into());
        }
        _ => {}
    }
    // The last lab takes the common folder along; while others are there, this fails, as it should.
    let _ = fs::remove_dir(ROOT);
    Ok(())
}
