//! Instance drivers: what an instance is made of on its host.
//!
//! A driver finds what exists on the host anew each time it is asked, so that instances outlive the
//! server that started them and a new one takes them on.

mod cables;
mod follow;
mod namespaces;
mod steps;

use std::io;
use std::sync::Arc;

pub use cables::{Cables, Plug};
pub use follow::run;
pub use namespaces::{Namespaces, Stage, init_pid, instance_init};

use crate::plan::{Failure, InstanceReport, InstanceSection, PortSection};
use crate::types::InstanceId;

/// The ends of consoles that grew, by instance.
pub type Consoles = Vec<(InstanceId, Arc<[u8]>)>;

/// What became of the instances of one host.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ComputeReport {
    /// The state that was followed.
    pub epoch: Arc<str>,
    pub generation: u64,
    pub instances: Vec<InstanceReport>,
    pub failures: Vec<Failure>,
    pub consoles: Consoles,
}

/// An instance that there is something of on this host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    pub id: InstanceId,
    /// The boot that was last begun, 0 for none.
    pub boot: u64,
    pub life: Life,
    /// The cables that were made for it.
    pub plugs: Vec<Plug>,
}

/// How much of an instance is alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    Running,
    /// It was running, and ended by itself or was stopped.
    Ended,
    /// Its start did not come to an end, or the host was restarted since.
    Interrupted,
}

/// Makes and ends instances on this host.
pub trait Driver: Send + Sync + 'static {
    /// What there is, found without memory.
    ///
    /// # Errors
    /// The driver's folder cannot be read.
    fn list(&self) -> io::Result<Vec<Found>>;

    /// Starts an instance whose processes do not run. The writable layer of an earlier boot is kept.
    fn start(
        &self,
        instance: Arc<InstanceSection>,
        ports: Vec<Arc<PortSection>>,
    ) -> impl Future<Output = Result<(), String>> + Send;

    /// Takes cables of a running instance away, and makes others: its interfaces come and go while it runs.
    fn plug(&self, id: InstanceId, cables: Cables) -> impl Future<Output = Result<(), String>> + Send;

    /// Asks the instance to shut down, and ends it when it does not.
    fn stop(&self, id: InstanceId) -> impl Future<Output = Result<(), String>> + Send;

    /// Leaves nothing of the instance.
    fn destroy(&self, id: InstanceId) -> impl Future<Output = Result<(), String>> + Send;

    /// The end of the console if it grew since it was last asked for, at most 64 KiB.
    fn console(&self, id: InstanceId) -> Option<Arc<[u8]>>;
}
