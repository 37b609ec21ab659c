//! `earmark serve`: its settings, and a real server from start to stop.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use crate::sandbox::Sandbox;

#[test]
fn flags_come_before_the_environment_before_the_file_before_defaults() {
    let sandbox = Sandbox::new();
    let file = sandbox.write(
        "serve.toml",
        "listen = \"127.0.0.1:1\"\nlog_json = true\n[limits]\nqueue = 5\nfiles = 6\nencodes = 7\n",
    );
    let print = |args: &[&str]| {
        let mut command = sandbox.command(["serve", "--print-config", "--config", file.to_str().unwrap()]);
        command.args(args).env("EARMARK_LISTEN", "127.0.0.1:2").env("EARMARK_LIMITS", "queue=8,files=9");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let environment = print(&[]);
    for line in
        ["listen = \"127.0.0.1:2\"", "log_json = true", "queue = 8", "files = 9", "encodes = 7", "jobs = 16"]
    {
        assert!(environment.lines().any(|l| l == line), "{line} in\n{environment}");
    }
    let flags = print(&["--listen", "127.0.0.1:3", "--limit", "queue=10"]);
    for line in ["listen = \"127.0.0.1:3\"", "queue = 10", "files = 6"] {
        assert!(flags.lines().any(|l| l == line), "{line} in\n{flags}");
    }
    // What is printed is a settings file.
    let printed = sandbox.write("printed.toml", &flags);
    sandbox.ok(["serve", "--print-config", "--config", printed.to_str().unwrap()]);
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let sandbox = Sandbox::new();
    for (args, said) in [
        (vec!["--limit", "qeue=5"], "there is no limit `qeue`; there are:"),
        (vec!["--limit", "queue=1.5"], "whole number"),
        (vec!["--limit", "request_s=0"], "request_s"),
        (vec!["--listen", "0.0.0.0:0"], "--insecure"),
        (vec!["--root", "a=/nowhere/at/all"], "/nowhere/at/all"),
    ] {
        let output = sandbox.command(["serve"]).args(&args).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains(said), "{args:?}: {stderr}");
    }
    let file = sandbox.write("bad.toml", "lisen = 1\n");
    let output = sandbox.command(["serve", "--config", file.to_str().unwrap()]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("lisen"));
}

#[test]
fn a_new_key_is_told_once_and_kept_as_its_hash() {
    let sandbox = Sandbox::new();
    let output = sandbox.command(["serve", "--new-key", "alice", "--scope", "write"]).output().unwrap();
    let (secret, told) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let hash = blake3::hash(secret.trim().as_bytes()).to_hex().to_string();
    assert!(
        told.contains(&hash) && told.contains("scope = \"write\"") && !told.contains(secret.trim()),
        "{told}"
    );
}

/// Status line and body of a request over a real connection.
pub(crate) fn ask(address: &str, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{request}\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[cfg(unix)]
#[test]
fn the_program_serves_and_stops_when_it_is_told_to() {
    let sandbox = Sandbox::indexed(&["weather/rain.flac"]);
    let mut child = sandbox
        .command(["serve", "--listen", "127.0.0.1:0", "--log-json"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let listening = lines.find(|line| line.starts_with("listening on http://")).unwrap();
    let address = listening.trim_start_matches("listening on http://").trim_end_matches('/').to_owned();
    // The library opens behind the listener.
    while ask(&address, "GET /readyz HTTP/1.1").0 != "HTTP/1.1 200 OK" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let (status, body) = ask(&address, "GET /v1/clips HTTP/1.1");
    assert!(status.ends_with("200 OK") && body.contains("rain.flac"), "{status} {body}");
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    let logs: Vec<serde_json::Value> = lines.filter_map(|line| serde_json::from_str(&line).ok()).collect();
    assert!(logs.iter().any(|log| log["span"]["path"] == "/v1/clips"), "{logs:?}");
    // The index is free again.
    sandbox.ok(["index", "sounds"]);
}
