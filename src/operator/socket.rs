//! The operator's socket: one JSON command and one JSON answer a connection.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::{Operator, OperatorCommand};

/// Its name in the state folder, which only root can enter.
pub const SOCKET: &str = "operator.sock";

const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);
/// A command's size at most.
const MAX_COMMAND: u64 = 64 * 1024;

/// Listens in the state folder.
///
/// # Errors
/// The socket cannot be made.
pub fn listen(state_dir: &Path) -> io::Result<UnixListener> {
    let path = state_dir.join(SOCKET);
    // The state folder is locked, so a socket that is there has no server behind it.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

impl Operator {
    /// Answers commands until the process ends.
    pub async fn serve(self, listener: UnixListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let operator = self.clone();
                    tokio::spawn(async move {
                        if let Err(error) = operator.answer(stream).await {
                            tracing::warn!(%error, "an operator's connection failed");
                        }
                    });
                }
                // No descriptors left, or the other side gone again: both pass.
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an operator's connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn answer(&self, mut stream: UnixStream) -> io::Result<()> {
        let mut text = Vec::new();
        (&mut stream).take(MAX_COMMAND).read_to_end(&mut text).await?;
        let answer = match serde_json::from_slice::<OperatorCommand>(&text) {
            Ok(command) => self.execute(command).await,
            Err(error) => Err(format!("the running server is of another version: {error}")),
        };
        stream.write_all(&serde_json::to_vec(&answer)?).await
    }
}

/// Asks the running server; `None` where none runs.
pub async fn ask(state_dir: &Path, command: &OperatorCommand) -> Option<Result<Value, String>> {
    let mut stream = UnixStream::connect(state_dir.join(SOCKET)).await.ok()?;
    let exchange = async {
        stream.write_all(&serde_json::to_vec(command)?).await?;
        stream.shutdown().await?;
        let mut text = Vec::new();
        stream.read_to_end(&mut text).await?;
        Ok::<_, io::Error>(serde_json::from_slice(&text)?)
    };
    Some(exchange.await.unwrap_or_else(|error| Err(format!("the running server did not answer: {error}"))))
}
