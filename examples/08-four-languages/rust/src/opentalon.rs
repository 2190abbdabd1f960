//! What every OpenTalon plugin does: listens on a socket, says where, and ends when it is told to or is left alone.

use serde_json::{Map, Value};
use std::{env, error::Error, fs, io, os::unix::process::parent_id, path::PathBuf, pin::pin, time::Duration};
use tokio::net::UnixListener;
use tokio::signal::unix;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Status, transport::server::Router};

/// Serves a tool, hook or provider on a socket in TMPDIR and says so on standard output: `1|unix|<path>`.
/// Returns when the plugin has ended.
#[allow(dead_code)]
pub async fn serve(router: Router) -> Result<(), Box<dyn Error>> {
    let folder = OwnFolder::create()?;
    let path = folder.0.join("plugin.sock");
    let first_line = format!("1|unix|{}", path.display());
    run(router, path, &first_line).await
}

/// Serves a channel on the socket OpenTalon looks for. Started by hand, it says where it listens:
/// `<kind>|unix|<path>`. Returns when the channel has ended.
#[allow(dead_code)]
pub async fn serve_channel(kind: &str, router: Router) -> Result<(), Box<dyn Error>> {
    if let Some(folder) = env::var_os("OPENTALON_CHANNEL_SOCK_DIR").filter(|folder| !folder.is_empty()) {
        return run(router, PathBuf::from(folder).join("channel.sock"), "").await;
    }
    let folder = OwnFolder::create()?;
    let path = folder.0.join("channel.sock");
    let first_line = format!("{kind}|unix|{}", path.display());
    run(router, path, &first_line).await
}

/// Longest message taken, in bytes; for `max_decoding_message_size` of the service.
pub fn message_limit() -> usize {
    let given = env::var("OPENTALON_GRPC_MAX_MSG_BYTES").ok().and_then(|text| text.parse().ok());
    given.filter(|&bytes| bytes > 0 && bytes < 1 << 31).unwrap_or(32 << 20)
}

/// What stands under `config` of the entry; refuses what is no JSON object.
#[allow(dead_code)]
pub fn settings(config_json: &str) -> Result<Map<String, Value>, Status> {
    let json = if config_json.is_empty() { "{}" } else { config_json };
    serde_json::from_str(json).map_err(|_| refusal("the configuration is not a JSON object"))
}

/// Ends `init` or `configure`: the plugin does not start, and the operator reads the words.
pub fn refusal(words: &str) -> Status {
    Status::invalid_argument(format!("configure: {words}"))
}

async fn run(router: Router, path: PathBuf, first_line: &str) -> Result<(), Box<dyn Error>> {
    let listener = UnixListener::bind(&path)?;
    let ended = ended()?;
    // Standard output belongs to OpenTalon, which reads this line: everything else goes to standard error.
    if !first_line.is_empty() {
        println!("{first_line}");
    }
    let (tell, told) = oneshot::channel::<()>();
    let until_told = async { told.await.unwrap_or_default() };
    let mut serving = pin!(router.serve_with_incoming_shutdown(UnixListenerStream::new(listener), until_told));
    let result = tokio::select! {
        result = &mut serving => result,
        () = ended => {
            tell.send(()).ok();
            // Calls under way may end, for a while.
            timeout(Duration::from_secs(3), serving).await.unwrap_or(Ok(()))
        }
    };
    fs::remove_file(&path).ok();
    Ok(result?)
}

/// Resolves when the plugin is told to end, or when its OpenTalon is gone.
fn ended() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = unix::signal(unix::SignalKind::interrupt())?;
    let mut terminate = unix::signal(unix::SignalKind::terminate())?;
    let parent = parent_id();
    Ok(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => return,
                _ = terminate.recv() => return,
                () = sleep(Duration::from_secs(1)) => if parent_id() != parent { return },
            }
        }
    })
}

/// A folder only this user can enter; removed with the value.
struct OwnFolder(PathBuf);

impl OwnFolder {
    fn create() -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let path = env::temp_dir().join(format!("opentalon-plugin-{}", std::process::id()));
        // Fails when it is there already: nobody else can have put it in our way.
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for OwnFolder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}
