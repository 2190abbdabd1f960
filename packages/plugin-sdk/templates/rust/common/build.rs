//! Makes the messages of the plugin from the protocol in `proto`.

use std::{error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let mut files: Vec<PathBuf> = Vec::new();
    for service in fs::read_dir("proto/opentalon")? {
        for file in fs::read_dir(service?.path().join("v1"))? {
            files.push(file?.path());
        }
    }
    println!("cargo:rerun-if-changed=proto");
    let messages = tonic_prost_build::configure().generate_default_stubs(true);
    messages.compile_fds(protox::compile(files, ["proto"])?)?;
    Ok(())
}
