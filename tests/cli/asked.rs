//! What others ask: the command line a server, language models the program.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::cli::beside::serve;
use crate::cli::recovery::signal;
use crate::sandbox::{Sandbox, sample, sample_arg};

/// An index of three sounds, one of them twice.
fn library() -> Sandbox {
    let sandbox = Sandbox::new();
    for name in ["animals/dog-barking.wav", "weather/rain.flac", "alarms/siren-wail.mp3"] {
        sandbox.add_sample(name);
    }
    sandbox.write("sounds/copy.wav", std::fs::read(sample("animals/dog-barking.wav")).unwrap());
    sandbox.ok(["index", "sounds"]);
    sandbox
}

#[cfg(unix)]
#[test]
fn a_server_answers_as_the_index_itself_does() {
    let sandbox = library();
    let (mut server, address) = serve(&sandbox);
    let url = format!("http://{address}");
    let dog = sample_arg("animals/dog-barking.wav");
    let asked: [&[&str]; 9] = [
        &["search", "a dog barks", "--min-score=-1"],
        &["search", "--like", &dog, "--not", "rain"],
        &["search", "rain", "--in-format", "flac", "--explain"],
        &["classify", &dog, "--labels", "dog,rain,siren"],
        &["classify", "--indexed", "--labels", "dog,rain,siren"],
        &["events", &dog, "--labels", "dog,rain", "--threshold", "0.4"],
        &["list", "--in-format", "wav"],
        &["duplicates", "--in-format", "wav"],
        &["info"],
    ];
    // From somewhere else: without the index, so that nothing but the server can know.
    let elsewhere = Sandbox::new();
    for args in asked {
        let here = sandbox.json([args, &["--json"]].concat());
        let there = elsewhere.json([args, &["--json", "--server", &url]].concat());
        assert_eq!(without_names(here), without_names(there), "{args:?}");
    }

    let fault = elsewhere.run(["events", &dog, "--labels", "dog", "--hop", "99", "--server", &url]);
    assert_eq!(fault.code, Some(1), "{fault:#?}");
    assert!(fault.stderr.contains("--hop") && fault.stderr.contains(&url), "{fault:#?}");

    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
    let gone = elsewhere.run(["search", "dog", "--server", &url]);
    assert_eq!(gone.code, Some(2), "{gone:#?}");
    assert!(gone.stderr.contains(&url), "{gone:#?}");
}

/// An answer without what a server cannot know: where a sent file lies on the machine of whoever sent it.
fn without_names(mut answer: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for name in ["query", "source", "path"] {
                    fields.remove(name);
                }
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut answer);
    answer
}

#[test]
fn language_models_get_the_answers_of_the_command_line() {
    let sandbox = library();
    let mut child = sandbox.command(["mcp"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut ask = |id: u64, method: &str, params: Value| -> Value {
        let line = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        writeln!(stdin, "{line}").unwrap();
        let answer: Value = serde_json::from_str(&stdout.next().unwrap().unwrap()).unwrap();
        assert_eq!(answer["id"], id);
        if id == 0 {
            writeln!(stdin, "{}", json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
                .unwrap();
        }
        answer
    };
    let client = json!({ "name": "test", "version": "1" });
    let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
    let server = ask(0, "initialize", hello);
    assert_eq!(server["result"]["serverInfo"]["name"], "earmark");

    let tools = ask(1, "tools/list", json!({}));
    let tools = tools["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    for name in [
        "search_sounds",
        "classify_sound",
        "find_events",
        "describe_sound",
        "find_duplicates",
        "list_clips",
        "library_info",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(tools.iter().all(|tool| tool["annotations"]["readOnlyHint"] == true), "{tools:?}");

    let found = ask(
        2,
        "tools/call",
        json!({ "name": "search_sounds", "arguments": { "query": [{ "text": "a dog barks" }] } }),
    );
    let told = sandbox.json(["search", "a dog barks", "--json"]);
    assert_eq!(found["result"]["structuredContent"], told);
    let links = found["result"]["content"].as_array().unwrap();
    let uri = links.iter().find_map(|block| block["uri"].as_str()).unwrap().to_owned();
    let sound = ask(3, "resources/read", json!({ "uri": uri }));
    assert!(sound["result"]["contents"][0]["blob"].as_str().is_some_and(|blob| blob.starts_with("UklGR")));

    let wrong = ask(4, "tools/call", json!({ "name": "search_sounds", "arguments": { "querry": [] } }));
    assert!(wrong.to_string().contains("querry"), "{wrong}");

    let call = json!({ "name": "find_duplicates", "arguments": { "filter": { "formats": ["wav"] } } });
    let found = ask(5, "tools/call", call);
    let told = sandbox.json(["duplicates", "--in-format", "wav", "--json"]);
    assert_eq!(told["groups"].as_array().map(Vec::len), Some(1));
    assert_eq!(found["result"]["structuredContent"], told);
    let words = found["result"]["content"][0]["text"].as_str().unwrap();
    assert!(words.contains("copy, likeness 1.00"), "{words}");

    drop(stdin);
    assert!(child.wait().unwrap().success());
}
