//! `fogbank lab stop`, `start`, `restart`, `cut` and `join`: one part of a lab fails and comes back.

use std::net::SocketAddr;

use super::layout::{Part, Segment};
use super::place::{Lab, Name};
use super::{database, processes, service, topology};
use crate::server::BoxError;

/// Ends what runs at a place.
///
/// # Errors
/// There is no such lab or place, or it does not end.
pub fn stop(name: &Name, place: &str, kill: bool) -> Result<(), BoxError> {
    let part = Lab::read(name)?.layout.part(place)?;
    processes::end_part(name, part, kill)
}

/// Starts what ran at a place again; a server on the port that it had.
///
/// # Errors
/// There is no such lab or place, it runs already, or does not come up.
pub fn start(name: &Name, place: &str) -> Result<(), BoxError> {
    let lab = Lab::read(name)?;
    let part = lab.layout.part(place)?;
    if !processes::of_part(name, part).is_empty() {
        return Err(format!("{place} runs already: `fogbank lab restart --name {name} {place}`").into());
    }
    match part {
        Part::Database => database::start(name),
        // Whether it reaches a server may be the very question: that it runs is all that is waited for.
        Part::Agent(_) => service::await_process(name, part, &mut service::start(name, part, None)?),
        Part::Serve => serve(&lab, part, 1),
        Part::Server(number) => serve(&lab, part, number),
    }
}

fn serve(lab: &Lab, part: Part, number: u8) -> Result<(), BoxError> {
    let endpoint =
        lab.endpoints.get(usize::from(number) - 1).ok_or("the lab's file names too few endpoints")?;
    let address: SocketAddr = endpoint.trim_start_matches("http://").parse()?;
    let mut server = service::start(&lab.name, part, Some(service::bind_again(address)?))?;
    service::await_server(&lab.name, part, &mut server)
}

/// Ends what runs at a place and starts it again: the first server, unless one is named.
///
/// # Errors
/// As of [`stop`] and [`start`].
pub fn restart(name: &Name, place: Option<&str>, kill: bool) -> Result<(), BoxError> {
    let first = Lab::read(name)?.layout.parts().first().map(|part| part.place());
    let place = place.map(str::to_owned).or(first).unwrap_or_default();
    stop(name, &place, kill)?;
    start(name, &place)
}

/// Pulls a place's cables out of the segments, or puts them in again.
///
/// # Errors
/// There is no such lab or cable.
pub fn plug(name: &Name, place: &str, only: Option<Segment>, up: bool) -> Result<(), BoxError> {
    topology::plug(name, Lab::read(name)?.layout, place, only, up)
}
