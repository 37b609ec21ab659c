//! Fetches one file: `cargo run -p earmark-hub --example fetch -- ORG/NAME REVISION PATH [SHA256]`. For trying a hub, a
//! proxy, or that the cache is shared with `huggingface_hub`.

use std::process::ExitCode;

use earmark_hub::{Hub, HubError, RemoteFile, Settings};

fn fetch(args: &[String]) -> Result<(), HubError> {
    let [repo, revision, path, rest @ ..] = args else {
        println!("expected ORG/NAME REVISION PATH [SHA256]");
        return Ok(());
    };
    let (repo, revision, path) = (repo.clone(), revision.clone(), path.clone());
    let file = RemoteFile { repo, revision, path, bytes: None, sha256: rest.first().cloned() };
    let hub = Hub::new(Settings::from_env()?)?;
    println!("{:?}", hub.fetch(&file, &mut |event| eprintln!("{event:?}"))?);
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match fetch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}
