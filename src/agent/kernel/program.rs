//! One run of the program `nft`, which may fail, be killed or never end: its caller goes on in any case.

use std::io;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use super::wire::Failed;

/// How long a run may take: one beside another program's largest sets takes a second.
const PATIENCE: Duration = Duration::from_secs(8);
/// And how much longer for so much that it is given: the rules of ten thousand instances take ten seconds.
const SECOND: usize = 1 << 18;

/// Why rules could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum NftError {
    #[error(transparent)]
    Wire(#[from] Failed),
    #[error("cannot run nft: {0}; install the package nftables")]
    Run(#[from] io::Error),
    #[error("nft refused: {0}")]
    Refused(String),
    #[error("nft did not end within {} s and was killed", .0.as_secs())]
    Hung(Duration),
}

/// Runs `nft` on the document and returns what it printed.
///
/// # Errors
/// Its complaint, or how it ended. Whether a transaction was made that it was at is not known where it was killed.
pub async fn nft(arguments: &[&str], document: &[u8]) -> Result<Vec<u8>, NftError> {
    let patience = PATIENCE + Duration::from_secs((document.len() / SECOND) as u64);
    let output =
        timeout(patience, run(arguments, document)).await.map_err(|_| NftError::Hung(patience))??;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = text.lines().filter(|line| line.contains("rror")).take(4).collect();
    Err(NftError::Refused(match (lines.is_empty(), text.trim()) {
        (false, _) => lines.join("; "),
        (true, "") => output.status.to_string(),
        (true, text) => text.to_owned(),
    }))
}

async fn run(arguments: &[&str], document: &[u8]) -> io::Result<Output> {
    let mut child = Command::new("nft")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Nobody waits for it any more when this is dropped.
        .kill_on_drop(true)
        .spawn()?;
    let stdin = child.stdin.take();
    let write = async {
        if let Some(mut stdin) = stdin {
            // One that ends before it has read everything says why by itself.
            let _ = stdin.write_all(document).await;
        }
    };
    tokio::join!(write, child.wait_with_output()).1
}
