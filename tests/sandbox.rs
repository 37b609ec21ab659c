//! A folder for one test, an index in it, and the program run there.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;

/// The checkout.
pub(crate) fn repo() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A sample sound of the project.
pub(crate) fn sample(name: &str) -> PathBuf {
    repo().join("index-data/sounds").join(name)
}

/// The path of a sample sound, as an argument.
pub(crate) fn sample_arg(name: &str) -> String {
    sample(name).to_str().unwrap().to_owned()
}

/// A fixture of the audio crate.
pub(crate) fn audio_fixture(name: &str) -> PathBuf {
    repo().join("tests/fixtures/audio").join(name)
}

/// What would lead away from the hub and the cache of a test; empty is as good as unset.
const HUB_VARIABLES: [&str; 9] = [
    "HF_ENDPOINT",
    "HF_HOME",
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "HF_HUB_OFFLINE",
    "HF_TOKEN",
    "http_proxy",
    "HTTP_PROXY",
    "ALL_PROXY",
];

/// A folder of its own with an index in it.
pub(crate) struct Sandbox {
    dir: TempDir,
    database: Option<String>,
}

/// The address of a new database, where the tests are to use the server that `cargo xtask test --postgres` starts; it
/// says so in `EARMARK_TEST_POSTGRES`.
pub(crate) fn database() -> Option<String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server: String = std::env::var("EARMARK_TEST_POSTGRES").ok()?;
    let name = format!("it{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let (address, _) = server.rsplit_once('/').unwrap();
    on_server(&server, &format!("CREATE DATABASE {name}"));
    Some(format!("{address}/{name}"))
}

/// Runs a statement in a database.
pub(crate) fn on_server(url: &str, statement: &str) {
    let (url, statement) = (url.to_owned(), statement.to_owned());
    // Some tests are asynchronous themselves.
    let done = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute(&statement).await.unwrap();
        });
    });
    done.join().unwrap();
}

/// What a run printed and how it ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), database: database() }
    }

    /// One with some sample sounds in `sounds/`, already indexed.
    pub(crate) fn indexed(samples: &[&str]) -> Self {
        let sandbox = Self::new();
        for name in samples {
            sandbox.add_sample(name);
        }
        sandbox.ok(["index", "sounds"]);
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The address of its database, if it has one.
    pub(crate) fn database(&self) -> Option<String> {
        self.database.clone()
    }

    pub(crate) fn db(&self) -> PathBuf {
        self.path("test.earmark")
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Copies a sample sound into `sounds/`, under its own file name.
    pub(crate) fn add_sample(&self, name: &str) -> PathBuf {
        let file = Path::new(name).file_name().unwrap().to_str().unwrap();
        self.write(&format!("sounds/{file}"), std::fs::read(sample(name)).unwrap())
    }

    /// Writes one second of sound, another for each number.
    pub(crate) fn add_tone(&self, name: &str, number: usize) -> PathBuf {
        const RATE: u32 = 8000;
        let mut bytes = Vec::new();
        let size = 2 * RATE;
        bytes.extend(b"RIFF");
        bytes.extend((36 + size).to_le_bytes());
        bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        bytes.extend(RATE.to_le_bytes());
        bytes.extend((2 * RATE).to_le_bytes());
        bytes.extend(b"\x02\0\x10\0data");
        bytes.extend(size.to_le_bytes());
        let step = (200 + 37 * number) as f64 * std::f64::consts::TAU / f64::from(RATE);
        for i in 0..RATE {
            bytes.extend((((f64::from(i) * step).sin() * 8000.0).round() as i16).to_le_bytes());
        }
        self.write(name, bytes)
    }

    /// A model of the user's own in the folder `folder`: `mini` under the id `id`, with its manifest
    /// otherwise edited.
    pub(crate) fn add_model(&self, folder: &str, id: &str, edit: impl FnOnce(String) -> String) {
        let own = self.path("config/earmark/models").join(folder);
        std::fs::create_dir_all(&own).unwrap();
        let mini = repo().join("models/mini");
        for file in ["audio.onnx", "text.onnx", "tokenizer.json", "axes.txt"] {
            std::fs::copy(mini.join(file), own.join(file)).unwrap();
        }
        let manifest = std::fs::read_to_string(mini.join("manifest.toml")).unwrap();
        let manifest = edit(manifest.replace("id = \"mini\"", &format!("id = \"{id}\"")));
        std::fs::write(own.join("manifest.toml"), manifest).unwrap();
    }

    /// Copies what is in a folder of tests/fixtures/models into this sandbox.
    pub(crate) fn copy_fixtures(&self, from: &str, to: &str) {
        for entry in std::fs::read_dir(repo().join("tests/fixtures/models").join(from)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            self.write(&format!("{to}/{name}"), std::fs::read(entry.path()).unwrap());
        }
    }

    /// Puts one of the tiny models of tests/fixtures/models into the user's config folder.
    pub(crate) fn add_tiny(&self, model: &str) {
        self.copy_fixtures(model, &format!("config/earmark/models/{model}"));
    }

    /// The program, in this folder, on this index.
    pub(crate) fn command<I, A>(&self, args: I) -> Command
    where
        I: IntoIterator<Item = A>,
        A: AsRef<std::ffi::OsStr>,
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_earmark"));
        Self::without_settings(&mut command);
        command
            .current_dir(self.dir.path())
            .env("EARMARK_DB", self.database.clone().map_or_else(|| self.db().into_os_string(), Into::into))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .stdin(Stdio::null())
            .args(args);
        command
    }

    /// Takes away what this machine's settings and programs would change.
    pub(crate) fn without_settings(command: &mut Command) {
        for name in ["EARMARK_DB", "EARMARK_DEVICE", "EARMARK_MODEL", "EARMARK_PLAYER"] {
            command.env_remove(name);
        }
        for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
            command.env_remove(name);
        }
        command
            // One for all, as on a user's machine.
            .env("EARMARK_GRAPH_CACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("graphs"))
            // Without the ffmpeg that this machine may have.
            .env("EARMARK_FFMPEG", "")
            .envs(HUB_VARIABLES.map(|name| (name, "")));
    }

    pub(crate) fn run<I, A>(&self, args: I) -> Run
    where
        I: IntoIterator<Item = A>,
        A: AsRef<std::ffi::OsStr>,
    {
        self.command(args).output().unwrap().into()
    }

    /// Runs and expects success, which a search that finds nothing is here, too; gives standard output.
    pub(crate) fn ok<I, A>(&self, args: I) -> String
    where
        I: IntoIterator<Item = A>,
        A: AsRef<std::ffi::OsStr>,
    {
        let mut command = self.command(args);
        let is_search = command.get_args().next().is_some_and(|arg| arg == "search");
        let run: Run = command.output().unwrap().into();
        assert!(run.code == Some(0) || is_search && run.code == Some(1), "{run:#?}");
        run.stdout
    }

    /// Runs and expects success; parses standard output as JSON.
    pub(crate) fn json<I, A>(&self, args: I) -> Value
    where
        I: IntoIterator<Item = A>,
        A: AsRef<std::ffi::OsStr>,
    {
        serde_json::from_str(&self.ok(args)).unwrap()
    }

    /// Runs and expects exit code `code`, or of a search 2 for 1, which there says that nothing was found; gives
    /// standard error.
    pub(crate) fn fails<I, A>(&self, code: i32, args: I) -> String
    where
        I: IntoIterator<Item = A>,
        A: AsRef<std::ffi::OsStr>,
    {
        let mut command = self.command(args);
        let is_search = command.get_args().next().is_some_and(|arg| arg == "search");
        let run: Run = command.output().unwrap().into();
        let code = if is_search && code == 1 { 2 } else { code };
        assert_eq!(run.code, Some(code), "{run:#?}");
        run.stderr
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// File names of the results of a search, best first.
pub(crate) fn result_names(document: &Value) -> Vec<String> {
    document["hits"].as_array().unwrap().iter().map(|hit| file_name(&hit["clip"]["path"])).collect()
}

/// The name of the file that a result of `classify` or `tag` is about.
pub(crate) fn heard_file(result: &Value) -> String {
    file_name(result.get("path").unwrap_or(&result["source"]))
}

/// The last component of a path in JSON.
pub(crate) fn file_name(path: &Value) -> String {
    Path::new(path.as_str().unwrap()).file_name().unwrap().to_str().unwrap().to_owned()
}
