//! `fogbank lab exec`: a command in one of the lab's places.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use super::place::{Lab, Name};
use crate::compute;
use crate::server::BoxError;
use crate::types::InstanceId;

/// What commands in an instance find on their path.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs the command and returns its exit code.
///
/// # Errors
/// There is no such place, or the command cannot be started.
pub fn exec(name: &Name, place: &str, command: &[String]) -> Result<ExitCode, BoxError> {
    let mut inner = match place.parse::<InstanceId>() {
        Ok(instance) => in_instance(name, instance)?,
        Err(_) => in_namespace(name, place)?,
    };
    inner.args(command);
    // Becoming the command keeps signals and the terminal as they are; only failure returns.
    let error = inner.exec();
    Err(format!("cannot run {}: {error}", inner.get_program().to_string_lossy()).into())
}

fn in_namespace(name: &Name, place: &str) -> Result<Command, BoxError> {
    let namespace = name.namespace(place);
    if place.contains('/') || !std::path::Path::new("/run/netns").join(&namespace).exists() {
        let places = Lab::read(name)?.layout.places().join(", ");
        return Err(
            format!("lab '{name}' has no '{place}': name {places} or the id of a running instance").into()
        );
    }
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &namespace]);
    Ok(command)
}

/// The places that have a folder.
fn places(name: &Name) -> Vec<String> {
    let entries = fs::read_dir(name.folder()).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

fn in_instance(name: &Name, instance: InstanceId) -> Result<Command, BoxError> {
    // On whichever host it runs; a host that it left may still have its folder.
    let pid = places(name)
        .iter()
        .find_map(|place| compute::init_pid(&name.instances(place), instance))
        .ok_or_else(|| format!("{instance} does not run in lab '{name}'"))?;
    let mut command = Command::new("nsenter");
    let target = format!("--target={pid}");
    // As the instance's own root, who is nobody on the host.
    command.args([
        target.as_str(),
        "--user",
        "--mount",
        "--uts",
        "--ipc",
        "--net",
        "--pid",
        "--root",
        "--wd=/",
        "--",
    ]);
    command.env_clear().env("PATH", PATH).env("HOME", "/root").env("TERM", "linux");
    Ok(command)
}
