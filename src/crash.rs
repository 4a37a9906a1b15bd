//! Named places at which a process can be made to abort, so that tests go through every one of them.
//!
//! `FOGBANK_CRASH=store-before-commit:3` ends the process at the third passage of that place, as a power failure would
//! end it: nothing is flushed, nothing is closed, no destructor runs. Only builds with debug assertions know the
//! variable; in a release a place is an empty function.

#[cfg(debug_assertions)]
use std::sync::LazyLock;
#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU64, Ordering};

/// Whose work is interrupted at a place: each part has a test that goes through all places of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// The writer, between a call and its answer.
    Writer,
    /// What a server does once, at its start.
    Start,
    /// What hosts say, on its way into the store.
    Reports,
    /// One pass over a host's kernel.
    Kernel,
    /// An instance's start and end.
    Compute,
    /// What an agent keeps on its disk and tells its servers.
    Agent,
}

macro_rules! points {
    ($($part:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)* })*) => {
        /// A place; the name is the environment's.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Point { $($($(#[$doc])* $variant,)*)* }

        impl Point {
            pub const ALL: &[Self] = &[$($(Self::$variant,)*)*];

            pub const fn name(self) -> &'static str {
                match self { $($(Self::$variant => $name,)*)* }
            }

            pub const fn part(self) -> Part {
                match self { $($(Self::$variant => Part::$part,)*)* }
            }
        }
    };
}

points! {
    Writer {
        /// Others are locked out; nothing is decided.
        StoreLocked = "store-locked",
        StoreDecided = "store-decided",
        /// The rows are written; the history does not know of them.
        StoreRowsWritten = "store-rows-written",
        StoreBeforeCommit = "store-before-commit",
        /// It is on disk, and nobody knows.
        StoreCommitted = "store-committed",
        /// The memory beside the store knows it; readers do not.
        StoreRemembered = "store-remembered",
        /// Readers know it; the caller does not.
        StorePublished = "store-published",
        /// One caller of a batch knows it; the others do not.
        StoreAnswered = "store-answered",
    }
    Start {
        /// The file is there and empty.
        KeyFileMade = "key-file-made",
        KeyFileWritten = "key-file-written",
        /// It has its name; the store has not noted it.
        KeyFileNamed = "key-file-named",
        KeyNoted = "key-noted",
        MigrationBeforeCommit = "migration-before-commit",
        MigrationCommitted = "migration-committed",
        EpochBeforeCommit = "epoch-before-commit",
        EpochCommitted = "epoch-committed",
    }
    Reports {
        ReportsBeforeCommit = "reports-before-commit",
        ReportsCommitted = "reports-committed",
    }
    Kernel {
        KernelRead = "kernel-read",
        RulesBefore = "rules-before",
        RulesWritten = "rules-written",
        GatewayAdded = "gateway-added",
        /// The port is up; no route and no neighbour leads to its instance.
        PortRaised = "port-raised",
        NeighbourSet = "neighbour-set",
        RouteWritten = "route-written",
        ProxyAdded = "proxy-added",
        /// The address is gone; flows through it live.
        AddressRemoved = "address-removed",
        FlowsCut = "flows-cut",
        /// The address is there; nobody has been told.
        AddressAdded = "address-added",
        RouteSwept = "route-swept",
    }
    Compute {
        /// The folder is there; no process is.
        InstanceLaidOut = "instance-laid-out",
        /// Process 1 waits; it has no cable and no record.
        InstanceSpawned = "instance-spawned",
        InstancePlugged = "instance-plugged",
        /// Process 1 has not been told to go on.
        InstanceRecorded = "instance-recorded",
        /// It goes on; the record does not say so.
        InstanceWent = "instance-went",
        /// Its processes have ended; its cables are there.
        InstanceEnded = "instance-ended",
        /// Its cables are gone; its folder is there.
        InstanceUnplugged = "instance-unplugged",
        InstanceRemoved = "instance-removed",
    }
    Agent {
        /// The state is written beside the old one.
        StateWritten = "state-written",
        StateSaved = "state-saved",
        /// The token is used up; the host has not noted its key.
        JoinAnswered = "join-answered",
        EnrolmentWritten = "enrolment-written",
        ReportBefore = "report-before",
        ReportSaid = "report-said",
    }
}

/// The variable that names a place and a passage.
pub const VARIABLE: &str = "FOGBANK_CRASH";

/// Passes a place.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub const fn point(_: Point) {}

/// Whether a place within a write transaction is named: one that goes to the database in one turn has none.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub const fn is_within_transaction() -> bool {
    false
}

/// Whether a place within a write transaction is named: one that goes to the database in one turn has none.
#[cfg(debug_assertions)]
pub fn is_within_transaction() -> bool {
    let within = [Point::StoreLocked, Point::StoreRowsWritten, Point::StoreBeforeCommit];
    ORDER.as_ref().is_some_and(|(named, _)| within.contains(named))
}

/// Which place ends the process, and at how many passages from now.
#[cfg(debug_assertions)]
static ORDER: LazyLock<Option<(Point, AtomicU64)>> = LazyLock::new(|| {
    let text = std::env::var(VARIABLE).ok()?;
    let (point, passage) = parse(&text).unwrap_or_else(|| panic!("{VARIABLE}: {text:?} names no place"));
    Some((point, AtomicU64::new(passage)))
});

/// Passes a place: the process ends here when the environment says so.
///
/// # Panics
/// The environment names no place, or no passage.
#[cfg(debug_assertions)]
pub fn point(point: Point) {
    if let Some((named, left)) = &*ORDER
        && *named == point
        && left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        eprintln!("crash: {}", point.name());
        std::process::abort();
    }
}

/// A place, and at which of its passages: `store-decided:3`.
#[cfg(debug_assertions)]
fn parse(text: &str) -> Option<(Point, u64)> {
    let (name, passage) = text.split_once(':')?;
    let point = Point::ALL.iter().copied().find(|point| point.name() == name)?;
    Some((point, passage.parse().ok().filter(|passage| *passage > 0)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_by_its_name_and_no_two_share_one() {
        for point in Point::ALL {
            assert_eq!(parse(&format!("{}:2", point.name())), Some((*point, 2)));
        }
        for nonsense in ["", "store-decided", "store-decided:", "store-decided:0", "nowhere:1"] {
            assert_eq!(parse(nonsense), None, "{nonsense:?}");
        }
    }
}
