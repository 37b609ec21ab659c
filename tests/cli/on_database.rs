//! What only an index in a database has: many writers, copies, roots, and secrets in its address.

use std::process::Stdio;

use crate::sandbox::{Run, Sandbox, database, on_server, result_names};

const RAIN: &str = "weather/rain.flac";
const BELL: &str = "music/church-bell.flac";

/// A sandbox whose index is in a database, and how other processes name it.
fn sandbox() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let url = sandbox.database().expect("run this with `cargo xtask test --postgres`");
    (sandbox, url)
}

#[test]
fn a_password_in_an_argument_is_refused_and_none_is_ever_shown() {
    let sandbox = Sandbox::new();
    let secret = "postgres://ann:s3cret@127.0.0.1:1/sounds";
    let joined = format!("--db={secret}");
    let copy = ["copy", "test.earmark", secret];
    for args in [&["info", "--db", secret][..], &["info", &joined], &copy] {
        let run = sandbox.run(args);
        assert!(run.code == Some(1) && run.stderr.contains("EARMARK_DB") && run.stdout.is_empty(), "{run:?}");
        assert!(!run.stderr.contains("s3cret"), "{run:?}");
    }
    for (address, part) in [
        (secret, "refused"),
        ("postgres://ann:s3cret@127.0.0.1:s3cret/sounds", "postgres://USER@HOST"),
        ("postgres://ann:s3cret@/sounds", "no host"),
    ] {
        let run: Run = sandbox.command(["info"]).env("EARMARK_DB", address).output().unwrap().into();
        assert!(run.code == Some(1) && run.stderr.contains(part), "{run:?}");
        assert!(!run.stderr.contains("s3cret"), "{run:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_password_file_that_others_can_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::new();
    sandbox.write("passwords", "127.0.0.1:1:sounds:ann:s3cret\n");
    let file = sandbox.path("passwords");
    let told = |file: &std::path::Path, address: &str| {
        let mut command = sandbox.command(["info"]);
        let run: Run = command.env("EARMARK_DB", address).env("PGPASSFILE", file).output().unwrap().into();
        assert!(run.code == Some(1) && !run.stderr.contains("s3cret"), "{run:?}");
        run.stderr
    };
    let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    let address = "postgres://ann@127.0.0.1:1/sounds";
    mode(0o644);
    assert!(told(&file, address).contains("chmod 0600"));
    // It has nothing for this one, and for that one the password is not needed.
    for other in ["postgres://bob@127.0.0.1:1/sounds", "postgres://ann:word@127.0.0.1:1/sounds"] {
        assert!(told(&file, other).contains("refused"));
    }
    mode(0o600);
    assert!(told(&file, address).contains("refused"));
    assert!(told(std::path::Path::new("/dev/null"), address).contains("refused"));
}

#[test]
fn what_is_for_databases_says_so_of_a_folder() {
    let sandbox = Sandbox::new();
    for args in [&["jobs"][..], &["db", "migrate"], &["db", "roots"]] {
        let mut command = sandbox.command(args);
        let run: Run = command.env("EARMARK_DB", sandbox.db()).output().unwrap().into();
        assert!(run.code == Some(1) && run.stderr.contains("postgres://USER@HOST/NAME"), "{run:?}");
    }
    let error = sandbox.fails(2, ["db", "add-root", "library"]);
    assert!(error.contains("NAME=FOLDER"), "{error}");
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn workers_at_once_index_each_file_once() {
    let (sandbox, _) = sandbox();
    for number in 0..300 {
        sandbox.add_tone(&format!("sounds/{number:03}.wav"), number);
    }
    sandbox.write("sounds/bad.wav", "no sound");
    let start = || {
        let mut command = sandbox.command(["index", "sounds", "--json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    // The first makes the tables and the space; the others may come at the same moment.
    let workers: Vec<_> = (0..3).map(|_| start()).collect();
    let mut added = 0;
    for worker in workers {
        let run: Run = worker.wait_with_output().unwrap().into();
        assert!(matches!(run.code, Some(0 | 3)), "{run:?}");
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        added += report["added"].as_u64().unwrap();
    }
    assert_eq!(added, 300);
    let info = sandbox.json(["info", "--json"]);
    assert_eq!((info["clips"].as_u64(), info["failures"].as_u64()), (Some(300), Some(1)));
    let jobs = sandbox.json(["jobs", "--json"]);
    assert_eq!((jobs["waiting"].as_u64(), jobs["taken"].as_u64()), (Some(0), Some(0)));
    let done: u64 = jobs["workers"].as_array().unwrap().iter().map(|w| w["files"].as_u64().unwrap()).sum();
    assert_eq!(done, 301);
    sandbox.ok(["verify", "--files"]);
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn a_worker_that_is_killed_loses_nothing() {
    let (sandbox, _) = sandbox();
    for number in 0..400 {
        sandbox.add_tone(&format!("sounds/{number:03}.wav"), number);
    }
    let mut child = sandbox.command(["index", "sounds"]).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(900));
    child.kill().unwrap();
    child.wait().unwrap();
    // Its lease would last a minute.
    on_server(&sandbox.database().unwrap(), "UPDATE earmark.work SET leased_until = now()");
    let report = sandbox.json(["index", "sounds", "--json"]);
    let info = sandbox.json(["info", "--json"]);
    assert_eq!((info["clips"].as_u64(), info["segments"].as_u64()), (Some(400), Some(400)), "{report}");
    sandbox.ok(["verify"]);
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn a_copy_goes_there_and_back_and_answers_the_same() {
    let (sandbox, url) = sandbox();
    sandbox.add_sample(RAIN);
    sandbox.add_sample(BELL);
    sandbox.write("sounds/bad.wav", "no sound");
    let local = sandbox.path("local.earmark");
    let run = |args: &[&str], db: &std::path::Path| -> Run {
        sandbox.command(args).env("EARMARK_DB", db).output().unwrap().into()
    };
    assert_eq!(run(&["index", "sounds", "--tag", "wet"], &local).code, Some(3));
    let copied = sandbox.json(["copy", "local.earmark", &url, "--json"]);
    assert_eq!((copied["copied"].as_u64(), copied["verified"].as_u64()), (Some(2), Some(2)), "{copied}");
    let again = sandbox.json(["copy", "local.earmark", &url, "--json"]);
    assert_eq!((again["copied"].as_u64(), again["unchanged"].as_u64()), (Some(0), Some(2)), "{again}");
    sandbox.json(["copy", &url, "back.earmark", "--json"]);
    for query in [&["search", "church bell", "--json"][..], &["search", "rain", "--by", "sound", "--json"]] {
        let answers: Vec<serde_json::Value> =
            [local.as_path(), &sandbox.path("back.earmark"), std::path::Path::new(&url)]
                .map(|db| serde_json::from_str(&run(query, db).stdout).unwrap())
                .into();
        assert_eq!(result_names(&answers[0]), result_names(&answers[2]));
        let of_hits = |answer: &serde_json::Value, name: &str| -> Vec<f64> {
            answer["hits"].as_array().unwrap().iter().map(|hit| hit[name].as_f64().unwrap()).collect()
        };
        for other in &answers[1..] {
            assert_eq!(of_hits(&answers[0], "score"), of_hits(other, "score"));
            // In a database, how all segments score is taken from half-precision vectors.
            let pairs = of_hits(&answers[0], "probability").into_iter().zip(of_hits(other, "probability"));
            assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-3), "{answers:?}");
        }
    }
    let list = run(&["list", "--failed"], &sandbox.path("back.earmark"));
    assert!(list.stdout.contains("bad.wav"), "{list:?}");
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn files_are_found_where_this_machine_has_the_root() {
    let (sandbox, _) = sandbox();
    sandbox.add_sample(RAIN);
    sandbox.ok(["db", "migrate"]);
    let here = sandbox.path("sounds");
    sandbox.ok(["db", "add-root", &format!("library={}", here.display())]);
    sandbox.ok(["index", "sounds"]);
    std::fs::rename(&here, sandbox.path("mounted")).unwrap();
    let there = format!("library={}", sandbox.path("mounted").display());
    let run: Run =
        sandbox.command(["search", "rain", "--json"]).env("EARMARK_ROOTS", &there).output().unwrap().into();
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let clip = &answer["hits"][0]["clip"];
    assert_eq!(clip["path"], sandbox.path("mounted/rain.flac").to_str().unwrap());
    assert_ne!(answer["hits"][0]["missing"], true, "{answer}");
    let without: serde_json::Value = sandbox.json(["search", "rain", "--json"]);
    assert_eq!(without["hits"][0]["missing"], true, "{without}");
    let run: Run = sandbox.command(["info"]).env("EARMARK_ROOTS", "library").output().unwrap().into();
    assert!(run.code == Some(1) && run.stderr.contains("NAME=FOLDER"), "{run:?}");
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn label_sets_are_in_the_database_and_survive_being_changed_at_once() {
    let (sandbox, _) = sandbox();
    // The first one makes the tables.
    let saving: Vec<_> = (0..6)
        .map(|n| {
            let mut command =
                sandbox.command(["labels", "save", &format!("set{n}"), "--labels", "dog, rain"]);
            command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in saving {
        let run: Run = child.wait_with_output().unwrap().into();
        assert_eq!(run.code, Some(0), "{run:?}");
    }
    // Another machine, which has nothing of it but the address.
    let mut other = sandbox.command(["labels", "list", "--json"]);
    let run: Run = other.env("XDG_DATA_HOME", sandbox.path("elsewhere")).output().unwrap().into();
    for n in 0..6 {
        assert!(run.stdout.contains(&format!("set{n}")), "{run:?}");
    }
    sandbox.ok(["labels", "delete", "set3"]);
    assert!(!sandbox.ok(["labels"]).contains("set3"));
    let heard =
        sandbox.json(["classify", &crate::sandbox::sample_arg(RAIN), "--label-set", "set1", "--json"]);
    assert_eq!(heard["results"][0]["label"], "rain", "{heard}");
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn two_databases_are_two_libraries() {
    let (sandbox, _) = sandbox();
    sandbox.add_sample(RAIN);
    sandbox.ok(["index", "sounds"]);
    let other = database().unwrap();
    let run: Run = sandbox.command(["info"]).env("EARMARK_DB", other).output().unwrap().into();
    assert!(run.code == Some(1) && run.stderr.contains("there is no index at postgres://"), "{run:?}");
}
