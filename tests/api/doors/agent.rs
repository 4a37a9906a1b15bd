//! An agent without a kernel: what its host is to run, runs at once, so that instances come to every state.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fogbank::agent::{Enrolment, join_with};
use fogbank::plan::message::{News, Poll, Said};
use fogbank::plan::{HostReport, HostState, InstanceReport, InstanceSection, Phase};
use fogbank::types::{InstanceId, MacAddr};

use crate::server::Server;

/// Ends with the value.
pub struct Agent(#[allow(dead_code)] tokio::runtime::Runtime);

impl Agent {
    /// Adds the host, and has its agent join and follow.
    pub fn join(server: &Server, folder: &Path, host: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let token = server.operate(&["host", "add", host])["join_token"].as_str().unwrap().to_owned();
        let (folder, feeds, host) = (folder.join(host), vec![server.feed.to_string()], host.to_owned());
        std::fs::create_dir_all(&folder).unwrap();
        runtime.block_on(join_with(&token, &host, &feeds, &folder)).unwrap();
        runtime.spawn(async move { follow(&Enrolment::read(&folder).unwrap().link(&feeds).unwrap()).await });
        Self(runtime)
    }
}

async fn follow(link: &impl fogbank::agent::Server) {
    let mut held = Arc::new(HostState::default());
    let mut ran: Vec<(InstanceId, u64)> = Vec::new();
    loop {
        let poll = Poll { epoch: held.epoch.clone(), generation: held.generation, patience_ms: 10_000 };
        let new = match link.poll(&poll).await.map(|answer| answer.news) {
            Ok(News::None) => continue,
            Ok(News::Full(state)) => state,
            Ok(News::Delta(delta)) => Arc::new(delta.applied_to(&held).unwrap()),
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let said = said(&new, &mut ran);
        held = new;
        while link.report(&said).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// What is in the state runs or has stopped; what was in it and is no more is gone.
fn said(state: &HostState, ran: &mut Vec<(InstanceId, u64)>) -> Said {
    let there = |section: &Arc<InstanceSection>| InstanceReport {
        id: section.id,
        boot: section.boot,
        phase: if section.run { Phase::Running } else { Phase::Stopped },
    };
    let mut instances: Vec<InstanceReport> = state.instances.values().map(there).collect();
    let gone = ran.iter().filter(|(id, _)| instances.iter().all(|now| now.id != *id));
    let gone: Vec<_> =
        gone.map(|(id, boot)| InstanceReport { id: *id, boot: *boot, phase: Phase::Gone }).collect();
    *ran = instances.iter().map(|one| (one.id, one.boot)).collect();
    instances.extend(gone);
    let report = HostReport {
        applied: state.generation,
        instances,
        flat_mac: Some(MacAddr::from_random(7)),
        memory_mib: 65_536,
        ..HostReport::default()
    };
    Said { epoch: state.epoch.clone(), report, consoles: Vec::new() }
}
