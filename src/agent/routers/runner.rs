//! The thread of one router: it lives in the router's network namespace, with everything that programs and serves there.

use std::fs::File;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use nix::sched::{CloneFlags, setns};
use tokio::sync::watch;

use super::namespaces::Namespace;
use super::split::Router;
use super::{Lookups, States};
use crate::agent::config::HostConfig;
use crate::agent::names::{ROUTER_OUT, ROUTER_VXLAN};
use crate::agent::reconcile::{Applied, Reconciler};
use crate::agent::serve;
use crate::plan::HostState;
use crate::server::BoxError;
use crate::types::VpcId;

/// One router at work. Dropping it ends its thread, and leaves the kernel as it is.
pub struct Runner {
    /// Which namespace it lives in.
    pub namespace: u64,
    kernel: watch::Sender<Option<Arc<HostState>>>,
    told: watch::Sender<Option<Arc<HostState>>>,
    applied: watch::Receiver<Applied>,
    thread: JoinHandle<Result<(), String>>,
    /// What it is at, and the last generation that asked for the same.
    current: Option<Router>,
    generation: u64,
}

impl Runner {
    /// # Errors
    /// The kernel has no thread left for us.
    pub fn start(
        vpc: VpcId,
        namespace: &Namespace,
        config: &HostConfig,
        lookups: &Lookups,
        word: watch::Sender<()>,
    ) -> Result<Self, String> {
        let (kernel, kernel_states) = watch::channel(None);
        let (told, told_states) = watch::channel(None);
        let (sender, applied) = watch::channel(Applied::default());
        let config = HostConfig {
            public_interface: ROUTER_OUT.to_owned(),
            flat_interface: ROUTER_VXLAN.to_owned(),
            snat_address: None,
            ..config.clone()
        };
        let life = Life { vpc, config, kernel_states, told_states, sender, lookups: lookups.clone(), word };
        let file = namespace.file()?;
        let begin = move || {
            life.run(&file).map_err(|error| {
                tracing::warn!(%vpc, %error, "the router's thread has ended");
                error.to_string()
            })
        };
        let name = "fogbank-router".to_owned();
        let thread =
            thread::Builder::new().name(name).spawn(begin).map_err(|error| format!("no thread: {error}"))?;
        Ok(Self { namespace: namespace.id, kernel, told, applied, thread, current: None, generation: 0 })
    }

    /// Whether the thread has not ended.
    pub fn lives(&self) -> bool {
        self.applied.has_changed().is_ok()
    }

    /// Why a thread that does not live any more has ended by itself.
    pub fn reason(self) -> String {
        match self.thread.join() {
            Ok(Ok(())) => "it ended".to_owned(),
            Ok(Err(error)) => error,
            Err(_) => "it panicked".to_owned(),
        }
    }

    /// What it must be now. A state that differs in its generation alone is no work.
    pub fn tell(&mut self, router: Router) {
        self.generation = router.kernel.generation;
        let same = |old: &Router| {
            // Most often it is the very same: routers are looked at every second.
            if Arc::ptr_eq(&old.kernel, &router.kernel) && Arc::ptr_eq(&old.told, &router.told) {
                return true;
            }
            let dated = |state: &HostState| HostState { generation: self.generation, ..state.clone() };
            dated(&old.kernel) == *router.kernel && dated(&old.told) == *router.told
        };
        if self.current.as_ref().is_some_and(same) {
            return;
        }
        self.kernel.send_replace(Some(router.kernel.clone()));
        self.told.send_replace(Some(router.told.clone()));
        self.current = Some(router);
    }

    /// What it has applied, and of which generation that is as good as.
    pub fn applied(&self) -> Applied {
        let mut applied = self.applied.borrow().clone();
        let wanted = self.current.as_ref().map(|router| router.kernel.generation);
        if wanted == Some(applied.generation) {
            applied.generation = self.generation;
        }
        applied
    }
}

struct Life {
    vpc: VpcId,
    config: HostConfig,
    kernel_states: States,
    told_states: States,
    sender: watch::Sender<Applied>,
    lookups: Lookups,
    word: watch::Sender<()>,
}

impl Life {
    /// Everything that this thread begins, its sockets, threads and processes, is in the namespace.
    fn run(self, namespace: &File) -> Result<(), BoxError> {
        setns(namespace, CloneFlags::CLONE_NEWNET)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async move {
            let kernel = Reconciler::new(self.config.clone())?.of_router(self.vpc);
            let mut applied = self.sender.subscribe();
            let word = self.word;
            let hand_on = async move {
                while applied.changed().await.is_ok() {
                    word.send_replace(());
                }
            };
            tokio::select! {
                result = kernel.run(self.kernel_states, self.sender) => Ok(result?),
                result = serve::run(Arc::new(self.config), self.told_states, Some(self.lookups)) => Ok(result?),
                () = hand_on => Ok(()),
            }
        })
    }
}
