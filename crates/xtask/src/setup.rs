//! `cargo xtask setup`: puts the pinned ONNX Runtime into `.onnxruntime/`, where the `earmark` binary looks.
//!
//! Which library is used, in this order: the one `ORT_DYLIB_PATH` names; the pinned one (fetched once,
//! checked each time, so that all of us measure the same); an installed one, if the pinned one cannot be had.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::digest;
use crate::platform::{GPU, OLDEST_MINOR, Platform, VERSION};
use crate::python::Python;
use crate::shell::{self, Repo};

/// Licence notices that travel with the library: member of the wheel, and its name beside the library.
pub(crate) const NOTICES: [&str; 2] = ["LICENSE", "ThirdPartyNotices.txt"];

/// The library that earmark will load.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OnnxRuntime {
    /// `ORT_DYLIB_PATH` names it.
    Chosen(PathBuf),
    /// The one this repository pins, in `.onnxruntime/`.
    Pinned(PathBuf),
    /// One that is installed on this machine.
    Installed(PathBuf),
}

impl OnnxRuntime {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Chosen(path) | Self::Pinned(path) | Self::Installed(path) => path,
        }
    }

    /// Tells a command which library it is, if it might not find it: earmark looks for the pinned one by
    /// itself, and for an installed one only under its usual names.
    pub(crate) fn given_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        match self {
            Self::Chosen(path) | Self::Installed(path) => command.env("ORT_DYLIB_PATH", path),
            Self::Pinned(_) => command,
        }
    }
}

/// Makes sure that there is an ONNX Runtime for earmark, and says which.
pub(crate) fn ensure(repo: &Repo) -> Result<OnnxRuntime> {
    let found = Setup::of(repo).ensure()?;
    match &found {
        OnnxRuntime::Chosen(path) => eprintln!("ONNX Runtime: {} (ORT_DYLIB_PATH)", path.display()),
        OnnxRuntime::Pinned(path) => {
            eprintln!("ONNX Runtime {VERSION}: {}", repo.relative(path).display());
        }
        OnnxRuntime::Installed(path) => {
            eprintln!("ONNX Runtime: {} (installed, not the pinned {VERSION})", path.display());
            eprintln!("If earmark does not find it: export ORT_DYLIB_PATH={}", path.display());
        }
    }
    Ok(found)
}

/// Makes sure that there is an ONNX Runtime for NVIDIA's GPUs, beside the other, and says how it is used.
pub(crate) fn ensure_gpu(repo: &Repo) -> Result<()> {
    let setup = Setup { folder: repo.root.join(".onnxruntime/gpu"), ..Setup::of(repo) };
    if (env::consts::OS, env::consts::ARCH) != (GPU.os, GPU.arch) {
        bail!(
            "ONNX Runtime for GPUs is fetched for {} on {} only; elsewhere install one, and name it with --onnxruntime",
            GPU.os,
            GPU.arch
        );
    }
    let setup = Setup { platform: Some(&GPU), ..setup };
    let path = match setup.pinned() {
        Some(path) => path,
        None => setup.fetch()?,
    };
    eprintln!(
        "ONNX Runtime {} for CUDA 13, which must be installed with cuDNN 9. Use it so:\n\
         earmark --onnxruntime {} --device cuda --batch 16 …",
        GPU.version,
        repo.relative(&path).display()
    );
    Ok(())
}

/// The pinned library and no other: what a package is made with. Its notices are beside it.
pub(crate) fn ensure_pinned(repo: &Repo) -> Result<PathBuf> {
    let setup = Setup::of(repo);
    match setup.pinned() {
        Some(path) => Ok(path),
        None => setup.fetch(),
    }
}

struct Setup {
    folder: PathBuf,
    platform: Option<&'static Platform>,
    chosen: Option<PathBuf>,
    python: Python,
    system_folders: Vec<PathBuf>,
}

impl Setup {
    fn of(repo: &Repo) -> Setup {
        Setup {
            folder: repo.root.join(".onnxruntime"),
            platform: Platform::host(),
            chosen: shell::dylib_path_from_env(),
            python: Python::default(),
            system_folders: system_folders(),
        }
    }

    fn ensure(&self) -> Result<OnnxRuntime> {
        if let Some(path) = &self.chosen {
            if !path.is_file() {
                bail!(
                    "ORT_DYLIB_PATH names {}, which is not a file\n\
                     Set it to an ONNX Runtime library, version 1.{OLDEST_MINOR} or later, or unset it to use \
                     the pinned one.",
                    path.display()
                );
            }
            return Ok(OnnxRuntime::Chosen(path.clone()));
        }
        if let Some(path) = self.pinned() {
            return Ok(OnnxRuntime::Pinned(path));
        }
        let why_not = match self.fetch() {
            Ok(path) => return Ok(OnnxRuntime::Pinned(path)),
            Err(error) => format!("{error:#}"),
        };
        if let Some(path) = self.installed() {
            eprintln!("the pinned ONNX Runtime cannot be had:\n{}", indented(&why_not));
            return Ok(OnnxRuntime::Installed(path));
        }
        bail!("ONNX Runtime {VERSION} cannot be had:\n{}\n\n{}", indented(&why_not), self.remedies())
    }

    /// The library in our folder, if all of it is there and it is the pinned one.
    fn pinned(&self) -> Option<PathBuf> {
        let platform = self.platform?;
        let path = self.folder.join(platform.library);
        let is = |name: &str, sha256: &str| {
            digest::sha256(&self.folder.join(name)).is_ok_and(|found| found == sha256)
        };
        let whole = NOTICES.iter().all(|name| self.folder.join(name).is_file())
            && platform.providers.iter().all(|(name, sha256)| is(name, sha256))
            && is(platform.library, platform.library_sha256);
        whole.then_some(path)
    }

    /// Downloads the wheel with pip, checks it, and moves the library and its notices into our folder.
    fn fetch(&self) -> Result<PathBuf> {
        let Some(platform) = self.platform else {
            bail!("there is no wheel for {} on {}", env::consts::OS, env::consts::ARCH);
        };
        let size = if platform.providers.is_empty() { "25 MB" } else { "250 MB" };
        eprintln!("fetching {} {} with pip (once, about {size})", platform.package, platform.version);
        let scratch = Scratch::new(&self.folder)?;
        let destination = scratch.path.to_string_lossy();
        let requirement = format!("{}=={}", platform.package, platform.version);
        self.python.pip(&[
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--platform",
            platform.pip_tag,
            "--python-version",
            "311",
            "--implementation",
            "cp",
            "--abi",
            "cp311",
            "--retries",
            "2",
            "--dest",
            &destination,
            &requirement,
        ])?;
        self.unpack(platform, &scratch.path)
    }

    /// From the wheel in `scratch` to the checked files in our folder, the library last: where it is, all is.
    fn unpack(&self, platform: &Platform, scratch: &Path) -> Result<PathBuf> {
        let wheel = scratch.join(platform.wheel);
        digest::check_sha256(&wheel, platform.wheel_sha256)?;
        let libraries = platform.providers.iter().copied();
        let libraries: Vec<_> = libraries.chain([(platform.library, platform.library_sha256)]).collect();
        let of_capi = libraries.iter().map(|(name, _)| format!("onnxruntime/capi/{name}"));
        let members: Vec<String> =
            NOTICES.iter().map(|name| format!("onnxruntime/{name}")).chain(of_capi).collect();
        self.python.unzip(&wheel, &members.iter().map(String::as_str).collect::<Vec<_>>(), scratch)?;
        for (name, sha256) in &libraries {
            digest::check_sha256(&scratch.join(name), sha256)?;
        }
        for name in NOTICES.into_iter().chain(libraries.iter().map(|(name, _)| *name)) {
            let to = self.folder.join(name);
            fs::rename(scratch.join(name), &to).with_context(|| format!("cannot write {}", to.display()))?;
        }
        Ok(self.folder.join(platform.library))
    }

    /// The newest suitable library in the system's folders.
    fn installed(&self) -> Option<PathBuf> {
        let entries = self.system_folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
        let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        // A bare `libonnxruntime.so` is a link to the file that carries the version in its name.
        let real = paths.filter(|path| is_library(path)).filter_map(|path| path.canonicalize().ok());
        let versioned = real.filter_map(|path| Some((version(&path)?, path)));
        versioned
            .filter(|((major, minor), _)| *major == 1 && *minor >= OLDEST_MINOR)
            .max()
            .map(|(_, path)| path)
    }

    fn remedies(&self) -> String {
        let mut text = String::from("Any one of these helps:\n");
        if let Some(platform) = self.platform {
            text += &format!(
                "  - get online, or point pip to your package mirror (pip config), and run `cargo xtask setup` again\n\
                 \x20 - install pip if it is missing (Debian and Ubuntu: apt install python3-pip)\n\
                 \x20 - bring {} in a folder and run\n\
                 \x20     PIP_NO_INDEX=1 PIP_FIND_LINKS=that/folder cargo xtask setup\n",
                platform.wheel
            );
        }
        text + &format!(
            "  - install ONNX Runtime 1.{OLDEST_MINOR} or later yourself and set ORT_DYLIB_PATH to its library"
        )
    }
}

fn is_library(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("libonnxruntime.so") || (name.starts_with("libonnxruntime.") && name.ends_with(".dylib"))
}

/// Major and minor version from `libonnxruntime.so.1.32.0` or `libonnxruntime.1.32.0.dylib`.
fn version(path: &Path) -> Option<(u32, u32)> {
    let name = path.file_name()?.to_str()?.strip_prefix("libonnxruntime.")?;
    let mut parts = name.strip_prefix("so.").unwrap_or(name).split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Where package managers put libraries.
fn system_folders() -> Vec<PathBuf> {
    let arch = env::consts::ARCH;
    [
        "/usr/local/lib".to_owned(),
        "/usr/local/lib64".to_owned(),
        format!("/usr/lib/{arch}-linux-gnu"),
        "/usr/lib64".to_owned(),
        "/usr/lib".to_owned(),
        "/opt/homebrew/lib".to_owned(),
    ]
    .map(PathBuf::from)
    .into()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// A folder inside ours, so that a rename out of it is atomic; gone when dropped.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new(folder: &Path) -> Result<Scratch> {
        let path = folder.join(format!(".download-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Scratch { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind is only a download; the next run does not look at it.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::script;

    /// A platform whose library is three letters, and whose wheel no file is.
    static TINY: Platform = Platform {
        os: "test",
        arch: "test",
        pip_tag: "test",
        wheel: "tiny.whl",
        wheel_sha256: "none",
        library: "libonnxruntime.so.1.32.0",
        library_sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", // of "abc"
        package: "onnxruntime",
        version: "1.32.0",
        providers: &[],
    };

    fn setup(dir: &Path, python_body: &str) -> Setup {
        let python = script(dir, "python3", python_body).unwrap();
        Setup {
            folder: dir.join(".onnxruntime"),
            platform: Some(&TINY),
            chosen: None,
            python: Python { interpreters: vec![python.into()], pip: dir.join("no-pip3").into() },
            system_folders: vec![dir.join("lib")],
        }
    }

    fn put_pinned(setup: &Setup, library: &str) {
        fs::create_dir_all(&setup.folder).unwrap();
        for name in NOTICES {
            fs::write(setup.folder.join(name), "notice").unwrap();
        }
        fs::write(setup.folder.join(TINY.library), library).unwrap();
    }

    const OFFLINE: &str = "echo 'ERROR: No matching distribution found for onnxruntime' >&2; exit 1";

    #[test]
    fn a_library_that_is_there_and_right_is_used_without_starting_python() {
        let dir = tempfile::tempdir().unwrap();
        let setup = setup(dir.path(), "touch started; exit 1");
        put_pinned(&setup, "abc");
        let path = setup.folder.join(TINY.library);
        assert_eq!(setup.ensure().unwrap(), OnnxRuntime::Pinned(path));
        assert!(!dir.path().join("started").exists());
    }

    #[test]
    fn offline_says_what_pip_said_and_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let setup = setup(dir.path(), OFFLINE);
        let message = format!("{:#}", setup.ensure().unwrap_err());
        for part in ["No matching distribution", "tiny.whl", "ORT_DYLIB_PATH", "cargo xtask setup"] {
            assert!(message.contains(part), "no {part:?} in: {message}");
        }
        // Nothing half-done is left behind.
        assert_eq!(fs::read_dir(&setup.folder).unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_library_is_not_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let setup = setup(dir.path(), OFFLINE);
        put_pinned(&setup, "abd");
        assert!(setup.ensure().is_err());
    }

    #[test]
    fn a_corrupt_wheel_is_rejected_before_it_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        // pip download … --dest FOLDER …: the folder is the word after --dest.
        let pip = "while [ \"$1\" != --dest ]; do shift; done; echo garbage > \"$2/tiny.whl\"";
        let setup = setup(dir.path(), pip);
        let message = format!("{:#}", setup.ensure().unwrap_err());
        assert!(message.contains("tiny.whl is not the file that was pinned"), "{message}");
        assert!(!setup.folder.join(TINY.library).exists());
    }

    /// What pip brings is a zip file with the three members; made by Python, without which there is no wheel.
    #[test]
    fn a_good_wheel_is_unpacked_and_one_with_another_library_in_it_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut setup = setup(dir.path(), OFFLINE);
        setup.python = Python::default();
        let Ok(mut python) = setup.python.interpreter() else { return };
        fs::create_dir(&setup.folder).unwrap();
        let wheel = dir.path().join(TINY.wheel);
        let zip = "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w') as z:\n    \
                   for name in ('capi/libonnxruntime.so.1.32.0', 'LICENSE', 'ThirdPartyNotices.txt'):\n        \
                   z.writestr('onnxruntime/' + name, 'abc')";
        shell::output(python.args(["-c", zip]).arg(&wheel)).unwrap();
        let wheel_sha256 = digest::sha256(&wheel).unwrap().leak();

        let other = Platform { wheel_sha256, library_sha256: "0123", ..TINY };
        let message = format!("{:#}", setup.unpack(&other, dir.path()).unwrap_err());
        assert!(message.contains("libonnxruntime.so.1.32.0 is not the file that was pinned"), "{message}");
        assert_eq!(setup.pinned(), None);

        let good = Platform { wheel_sha256, ..TINY };
        let path = setup.unpack(&good, dir.path()).unwrap();
        assert_eq!(setup.pinned(), Some(path));
    }

    #[test]
    fn ort_dylib_path_wins_over_all_else() {
        let dir = tempfile::tempdir().unwrap();
        let mut setup = setup(dir.path(), OFFLINE);
        put_pinned(&setup, "abc");
        let mine = dir.path().join("mine.so");
        fs::write(&mine, "mine").unwrap();
        setup.chosen = Some(mine.clone());
        assert_eq!(setup.ensure().unwrap(), OnnxRuntime::Chosen(mine));
    }

    #[test]
    fn ort_dylib_path_that_names_nothing_is_an_error_even_if_the_pinned_one_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let mut setup = setup(dir.path(), OFFLINE);
        put_pinned(&setup, "abc");
        setup.chosen = Some(dir.path().join("gone.so"));
        let message = format!("{:#}", setup.ensure().unwrap_err());
        assert!(message.contains("gone.so, which is not a file"), "{message}");
    }

    #[test]
    fn the_newest_suitable_installed_library_stands_in_when_pip_fails() {
        let dir = tempfile::tempdir().unwrap();
        let setup = setup(dir.path(), OFFLINE);
        let lib = dir.path().canonicalize().unwrap().join("lib");
        fs::create_dir(&lib).unwrap();
        for name in
            ["libonnxruntime.so.1.9.1", "libonnxruntime.so.2.0.0", "libonnxruntime_providers_shared.so"]
        {
            fs::write(lib.join(name), "").unwrap();
        }
        assert_eq!(setup.installed(), None);
        fs::write(lib.join("libonnxruntime.so.1.21.0"), "").unwrap();
        fs::write(lib.join("libonnxruntime.so.1.23.0"), "").unwrap();
        std::os::unix::fs::symlink("libonnxruntime.so.1.21.0", lib.join("libonnxruntime.so")).unwrap();
        assert_eq!(setup.ensure().unwrap(), OnnxRuntime::Installed(lib.join("libonnxruntime.so.1.23.0")));
    }

    #[test]
    fn a_version_is_read_from_the_name() {
        let of = |name: &str| version(Path::new(name));
        assert_eq!(of("/usr/lib/libonnxruntime.so.1.21.0"), Some((1, 21)));
        assert_eq!(of("libonnxruntime.1.32.0.dylib"), Some((1, 32)));
        assert_eq!(of("libonnxruntime.so"), None);
        assert_eq!(of("libonnxruntime.so.one.two"), None);
    }

    #[test]
    fn a_machine_without_a_wheel_is_told_so() {
        let dir = tempfile::tempdir().unwrap();
        let mut setup = setup(dir.path(), OFFLINE);
        setup.platform = None;
        let message = format!("{:#}", setup.ensure().unwrap_err());
        assert!(message.contains("there is no wheel for") && message.contains("ORT_DYLIB_PATH"), "{message}");
    }
}
