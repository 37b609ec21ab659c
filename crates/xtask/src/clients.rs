//! `cargo xtask clients`: clients that generators make of the OpenAPI document, compiled and used against the
//! server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::page;
use crate::python;
use crate::served::Served;
use crate::shell::{Repo, run};

/// The document. A test holds it to the one that the server serves.
const DOCUMENT: &str = "tests/server/openapi.json";

/// A folder for each language: pins, settings of the generators, and a program that uses the client.
const PROJECTS: &str = "tests/clients";

pub(crate) fn clients(repo: &Repo) -> Result<()> {
    page::needs_npm(repo)?;
    let typescript = TypeScript::compile(repo)?;
    let python = Python::compile(repo)?;
    let mut served = Served::start(repo, "clients")?;
    for mut client in [typescript.command(repo, &["run", "use"]), python.command(repo, &["client.py"])] {
        client.env("EARMARK_URL", &served.url).env("EARMARK_SOUNDS", repo.root.join("index-data/sounds"));
        run(&mut client)?;
    }
    served.still_runs()
}

/// The TypeScript project in the build folder.
struct TypeScript(PathBuf);

impl TypeScript {
    /// Lints the document, generates its types, and compiles the program that uses them.
    fn compile(repo: &Repo) -> Result<Self> {
        let project = Self(copied(repo, "typescript")?);
        let document = repo.root.join(DOCUMENT);
        run(&mut project.command(repo, &["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))?;
        run(project
            .command(repo, &["run", "lint", "--"])
            .arg(&document)
            // Without these, redocly reports that it was used, and looks for a newer version of itself.
            .env("REDOCLY_TELEMETRY", "off")
            .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true"))?;
        run(project.command(repo, &["run", "generate", "--"]).arg(&document))?;
        run(&mut project.command(repo, &["run", "compile"]))?;
        Ok(project)
    }

    fn command(&self, repo: &Repo, arguments: &[&str]) -> Command {
        let mut npm = repo.command("npm");
        npm.current_dir(&self.0).args(arguments);
        npm
    }
}

/// The Python project in the build folder.
struct Python {
    folder: PathBuf,
    interpreter: PathBuf,
}

impl Python {
    /// Generates a package, compiles it, and checks its types and those of the program that uses it.
    fn compile(repo: &Repo) -> Result<Self> {
        let folder = copied(repo, "python")?;
        let requirements = format!("{PROJECTS}/python/requirements.txt");
        let interpreter = python::environment(repo, Path::new("clients-venv"), &requirements)?;
        let project = Self { folder, interpreter };
        let mut generate = project.command(repo, &["-m", "openapi_python_client", "generate"]);
        // A warning is an operation or an answer that the package lacks.
        generate.args(["--fail-on-warning", "--meta", "none", "--config", "generator.yaml", "--overwrite"]);
        generate.args(["--output-path", "earmark_client", "--path"]).arg(repo.root.join(DOCUMENT));
        run(&mut generate)?;
        run(&mut project.command(repo, &["-m", "compileall", "-q", "earmark_client"]))?;
        run(&mut project.command(repo, &["-m", "mypy", "client.py", "earmark_client"]))?;
        Ok(project)
    }

    fn command(&self, repo: &Repo, arguments: &[&str]) -> Command {
        let mut python = repo.command(&self.interpreter);
        python.current_dir(&self.folder).args(arguments);
        python
    }
}

/// The build folder's copy of a project. Packages that are installed there stay.
fn copied(repo: &Repo, project: &str) -> Result<PathBuf> {
    let (from, to) = (repo.root.join(PROJECTS).join(project), repo.target.join("clients").join(project));
    fs::create_dir_all(&to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(&from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let file = to.join(entry.file_name());
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), &file).with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    Ok(to)
}
