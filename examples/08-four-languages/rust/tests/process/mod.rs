//! For tests: starts the plugin as OpenTalon does, and connects to it.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::time::sleep;
use tonic::transport::{Channel, Endpoint};

/// A running plugin and the temporary folder it has. `stop` ends it; a test that fails kills it.
pub struct Plugin {
    child: Child,
    folder: PathBuf,
}

impl Plugin {
    fn start(name: &str, is_channel: bool) -> Self {
        let folder = env::temp_dir().join(format!("opentalon-test-{}-{name}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_opentalon-plugin"));
        command.env_clear().env("TMPDIR", &folder).stdout(Stdio::piped());
        if is_channel {
            command.env("OPENTALON_CHANNEL_SOCK_DIR", &folder);
        }
        let child = command.spawn().unwrap();
        Self { child, folder }
    }

    pub async fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let give_up = Instant::now() + Duration::from_secs(10);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < give_up, "SIGINT does not end it");
            sleep(Duration::from_millis(10)).await;
        };
        assert!(status.success(), "SIGINT did not end it in good order: {status}");
        assert_eq!(fs::read_dir(&self.folder).unwrap().count(), 0, "it left its socket behind");
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// A tool, hook or provider, which says where it listens. `name` is the test's.
#[allow(dead_code)]
pub async fn start_plugin(name: &str) -> (Plugin, Channel) {
    let mut plugin = Plugin::start(name, false);
    let mut line = String::new();
    BufReader::new(plugin.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let path = line.trim().strip_prefix("1|unix|").expect("the first line says where it listens");
    (plugin, connect(path.into()).await)
}

/// A channel, which listens where it is told to. `name` is the test's.
#[allow(dead_code)]
pub async fn start_channel(name: &str) -> (Plugin, Channel) {
    let plugin = Plugin::start(name, true);
    let path = plugin.folder.join("channel.sock");
    let give_up = Instant::now() + Duration::from_secs(10);
    while !path.exists() {
        assert!(Instant::now() < give_up, "the channel does not listen");
        sleep(Duration::from_millis(25)).await;
    }
    (plugin, connect(path).await)
}

async fn connect(path: PathBuf) -> Channel {
    let address = format!("unix:{}", path.display());
    let endpoint = Endpoint::from_shared(address).unwrap().timeout(Duration::from_secs(10));
    let give_up = Instant::now() + Duration::from_secs(10);
    loop {
        match endpoint.connect().await {
            // A socket may be there a moment before somebody listens on it.
            Err(_) if Instant::now() < give_up => sleep(Duration::from_millis(25)).await,
            connected => return connected.unwrap(),
        }
    }
}
