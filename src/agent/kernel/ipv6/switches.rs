//! The switches of IPv6, below /proc/sys/net/ipv6.
//!
//! Whether a packet is forwarded is asked of the interface that it came by since Linux 6.17 (`force_forwarding`), and of `all`
//! before. Nothing else of the host's is to change by it: its interfaces keep the routes that they have by advertisements
//! (`accept_ra` 2 where it was 1: one that forwards takes none otherwise), and what is forwarded on our account alone is
//! dropped by our rules (Documentation/networking/ip-sysctl.rst).

use crate::agent::kernel::sysctl::{self, Switch};

/// What is forwarded for the instances' sake alone, and for nobody else.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Closed6 {
    /// The host forwards for others, too, or not at all.
    #[default]
    No,
    /// What comes by the public interface.
    Public,
    /// Whatever there is.
    All,
}

fn of(name: &str, key: &str, value: &'static str) -> Switch {
    (format!("ipv6/conf/{name}/{key}"), value)
}

fn is_on(name: &str, key: &str) -> bool {
    sysctl::reads(&of(name, key, "1"))
}

fn by_interface() -> bool {
    sysctl::exists(&of("all", "force_forwarding", "1"))
}

/// An interface of ours that carries IPv6: it has the addresses that we give it, and takes no router's word. It makes
/// itself no address before it is switched on.
pub fn ours(name: &str) -> Vec<Switch> {
    vec![
        of(name, "addr_gen_mode", "1"),
        of(name, "accept_ra", "0"),
        of(name, "accept_redirects", "0"),
        of(name, "accept_dad", "0"),
        of(name, "proxy_ndp", "0"),
        of(name, "disable_ipv6", "0"),
    ]
}

/// A router forwards, by every interface that it has.
pub fn router() -> Switch {
    of("all", "forwarding", "1")
}

/// The host's end of a cable; where forwarding is of `all`, there is no more to say.
pub fn cable(name: &str) -> Vec<Switch> {
    let mut switches = ours(name);
    switches.extend(by_interface().then(|| of(name, "force_forwarding", "1")));
    switches
}

/// That it was us who switched forwarding on: our protocol's number where no kernel looks, as each interface has such a switch of
/// its own. It must live as long as what it tells of, whatever becomes of our other things.
fn mark() -> Switch {
    of("all", "max_desync_factor", "142")
}

/// The public interface, in this order: it answers for instances, and forwards to them.
pub fn public(name: &str) -> Vec<Switch> {
    // Who does not forward by itself does not answer for others.
    let mut switches = vec![of(name, "proxy_ndp", "1"), of(name, "forwarding", "1")];
    let wanted = if by_interface() { of(name, "force_forwarding", "1") } else { router() };
    if sysctl::reads(&mark()) || !sysctl::reads(&wanted) {
        switches.extend([mark(), wanted]);
    }
    switches
}

/// What is forwarded by the host on our account, now or as soon as [`public`] is so (`wanted`).
pub fn closed(public: &str, wanted: bool) -> Closed6 {
    let marked = sysctl::reads(&mark());
    let all = is_on("all", "forwarding");
    if by_interface() {
        let ours = marked || (wanted && !is_on(public, "force_forwarding"));
        return if ours && !all { Closed6::Public } else { Closed6::No };
    }
    if marked || (wanted && !all) { Closed6::All } else { Closed6::No }
}

/// Lets those interfaces of others that learn of routers go on with it beside forwarding; before that is switched on.
///
/// # Errors
/// Why one could not be written.
pub fn keep_learning<'a>(links: impl Iterator<Item = &'a str>) -> std::io::Result<()> {
    for name in links {
        if is_on(name, "accept_ra") {
            sysctl::ensure(&of(name, "accept_ra", "2"))?;
        }
    }
    Ok(())
}
