//! Many processes on one index at the same time.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::cli::recovery::{library, signal};
use crate::cli::serve::ask;
use crate::sandbox::{Sandbox, result_names};

/// A server on the sandbox's index, and its address.
pub(super) fn serve(sandbox: &Sandbox) -> (Child, String) {
    let mut command = sandbox.command(["serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let listening = lines.find(|line| line.starts_with("listening on http://")).unwrap();
    let address = listening.trim_start_matches("listening on http://").trim_end_matches('/').to_owned();
    // So that the log does not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    while ask(&address, "GET /readyz HTTP/1.1").0 != "HTTP/1.1 200 OK" {
        std::thread::sleep(Duration::from_millis(20));
    }
    (child, address)
}

fn clips(address: &str) -> usize {
    let (_, body) = ask(address, "GET /v1/info HTTP/1.1");
    let body = &body[body.find('{').unwrap()..=body.rfind('}').unwrap()];
    let stats: serde_json::Value = serde_json::from_str(body).unwrap();
    stats["clips"].as_u64().unwrap() as usize
}

#[cfg(unix)]
#[test]
fn searches_succeed_while_a_server_runs_and_files_are_indexed() {
    const COPIES: usize = 60;
    let sandbox = library(COPIES);
    sandbox.add_sample("music/church-bell.flac");
    sandbox.ok(["index", "sounds/church-bell.flac"]);
    let (mut server, address) = serve(&sandbox);
    assert_eq!(clips(&address), 1);
    let mut indexing = sandbox.command(["index", "sounds", "-q"]).spawn().unwrap();
    let search = || {
        let mut command = sandbox.command(["search", "church bell", "--json", "-k", "100"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let searches: Vec<Child> = (0..24).map(|_| search()).collect();
    for child in searches {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found = result_names(&serde_json::from_slice(&output.stdout).unwrap());
        assert_eq!(found.first().map(String::as_str), Some("church-bell.flac"), "{found:?}");
    }
    assert!(indexing.wait().unwrap().success());
    // The server sees what the other process committed.
    let committed = Instant::now();
    while clips(&address) < 1 + COPIES {
        assert!(committed.elapsed() < Duration::from_secs(2), "the server does not see what was indexed");
        std::thread::sleep(Duration::from_millis(20));
    }
    // And the index can be written while the server runs.
    sandbox.ok(["remove", "sounds/000.wav"]);
    sandbox.ok(["verify"]);
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
}
