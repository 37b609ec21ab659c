//! `cargo xtask test` and `cargo xtask bench`: with the runtime in place, by the best runner that is here.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use crate::postgres;
use crate::setup::{self, OnnxRuntime};
use crate::shell::{self, Repo, run};

/// Runs all tests; the runner's summary comes last. With arguments, they go to the runner, and the examples in the
/// documentation, which a filter is not meant for, are left out.
pub(crate) fn test(repo: &Repo, args: &[String]) -> Result<()> {
    let runtime = setup::ensure(repo)?;
    if let Some((first, filter)) = args.split_first()
        && first == "--postgres"
    {
        return on_postgres(repo, &runtime, filter);
    }
    let documentation = if args.is_empty() {
        run(runtime.given_to(&mut repo.cargo()).args(["test", "--workspace", "--doc", "--no-fail-fast"]))
    } else {
        Ok(())
    };
    // A failure up there does not hide what the other tests say.
    let tests = others(repo, &runtime, args);
    documentation.and(tests)
}

/// Tests of the command line and the server, and modules of them, that are about the folder of an index: its files,
/// its lock, its graphs, label sets in it, and `rebuild`, which is for folders.
const OF_FOLDERS: &[&str] = &[
    "cli::bad_input::an_index_of_another_format_or_none_at_all_is_told",
    "cli::bad_input::an_index_that_is_being_written_can_be_read_and_says_who_writes",
    "cli::beside::",
    "cli::fit::a_fitted_set_is_adapted_and_what_it_was_again",
    "cli::fit::a_fitted_set_is_used_by_classify_the_index_and_events",
    "cli::fit::a_list_that_was_deleted_is_missed_everywhere",
    "cli::fit::a_set_of_an_older_earmark_always_answers_and_says_so",
    "cli::fit::damaged_files_are_refused_and_older_ones_read",
    "cli::recovery::a_clock_before_1970_is_named_by_writers_and_no_matter_to_readers",
    "cli::recovery::a_store_that_may_not_be_looked_at_is_not_called_gone",
    "cli::recovery::clips_that_the_store_lost_come_back_and_verify_says_so",
    "cli::spaces::a_lost_note_of_the_current_space_is_told_with_the_remedy",
    "cli::spaces::an_index_from_before_there_were_spaces_is_taken_over",
    "cli::spaces::the_current_space_can_be_chosen_and_others_dropped",
    "cli::transfer::a_rebuilt_index_finds_the_same",
    "cli::transfer::an_exported_index_comes_back_the_same",
    "server::endpoints::a_fitted_label_set_saved_by_the_program_works_by_name_at_once",
    "server::endpoints::a_label_set_of_another_model_is_refused",
    "server::search::a_graph_is_built_in_the_background",
];

/// Tests that use no index, or none worth speaking of; and one that would wait for leases to end, instead of which
/// `cli::on_database` has one.
const OF_NO_INDEX: &[&str] = &[
    "cli::clap::",
    "cli::describe::",
    "cli::eval::",
    "cli::heard::",
    "cli::manifest_mistakes::",
    "cli::models::",
    "cli::own_models::",
    "cli::recovery::killed_at_any_time_a_run_goes_on_with_nothing_lost_or_doubled",
];

/// Runs the tests of the store in PostgreSQL, and those of the command line and the server with it.
fn on_postgres(repo: &Repo, runtime: &OnnxRuntime, filter: &[String]) -> Result<()> {
    let server = postgres::Server::start(repo)?;
    let command = |test: &str| {
        let nextest = shell::works(repo.cargo().args(["nextest", "--version"]));
        let mut cargo = repo.cargo();
        runtime.given_to(&mut cargo);
        cargo.args(if nextest { &["nextest", "run"][..] } else { &["test"] }).arg("--no-fail-fast");
        // The whole workspace is built as for the other tests, so that it is built once.
        cargo.env("EARMARK_TEST_POSTGRES", server.url()).args(["--workspace", "--test", test, "--"]);
        cargo
    };
    if !filter.is_empty() {
        return run(command("it").arg("--include-ignored").args(filter));
    }
    let own = run(command("database").arg("--include-ignored"));
    let on_database = run(command("it").args(["--include-ignored", "on_database::"]));
    let mut both = command("it");
    both.args(["cli::", "server::"]);
    for name in OF_FOLDERS.iter().chain(OF_NO_INDEX) {
        both.args(["--skip", name]);
    }
    own.and(on_database).and(run(&mut both))
}

fn others(repo: &Repo, runtime: &OnnxRuntime, args: &[String]) -> Result<()> {
    let nextest = shell::works(repo.cargo().args(["nextest", "--version"]));
    let mut cargo = repo.cargo();
    runtime.given_to(&mut cargo);
    cargo.args(if nextest { &["nextest", "run"][..] } else { &["test"] }).arg("--no-fail-fast");
    if !chooses_packages(args) {
        cargo.arg("--workspace");
    }
    if nextest {
        return run(cargo.args(args));
    }
    eprintln!("cargo-nextest is not installed; running the tests with cargo test");
    if args.is_empty() {
        // Everything but the documentation, which has just been run, and the benches.
        cargo.args(["--lib", "--bins", "--tests"]);
    }
    with_total(cargo.args(args))
}

/// True if the arguments say which packages to test, which `--workspace` would overrule.
fn chooses_packages(args: &[String]) -> bool {
    let mut options = args.iter().take_while(|arg| *arg != "--");
    options.any(|arg| arg.starts_with("--package") || arg.starts_with("-p"))
}

/// Runs the index's crash tests with many kills.
pub(crate) fn soak(repo: &Repo, args: &[String]) -> Result<()> {
    let kills = match args {
        [] => 1000,
        [kills] => {
            kills.parse::<u64>().with_context(|| format!("expected a number of kills, got {kills:?}"))?
        }
        _ => bail!("expected at most a number of kills, got {} arguments", args.len()),
    };
    let mut cargo = repo.cargo();
    cargo.args(["test", "-p", "earmark-index", "--test", "it", "crash::", "--", "--nocapture"]);
    run(cargo.env("EARMARK_CRASH_ROUNDS", kills.to_string()))
}

/// Runs the benches.
pub(crate) fn bench(repo: &Repo, args: &[String]) -> Result<()> {
    let runtime = setup::ensure(repo)?;
    run(runtime.given_to(&mut repo.cargo()).arg("bench").args(args))
}

/// Runs `cargo test`, and adds up the summaries that it prints for each test binary.
fn with_total(cargo: &mut std::process::Command) -> Result<()> {
    eprintln!("$ {}", shell::shown(cargo));
    let mut child = cargo.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let mut total = Total::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.context("cannot read what cargo test writes")?;
            println!("{line}");
            total.add(&line);
        }
    }
    let status = child.wait()?;
    println!("{total}");
    if !status.success() {
        bail!("tests failed");
    }
    Ok(())
}

/// Sums over test binaries.
#[derive(Debug, Default, PartialEq, Eq)]
struct Total {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Total {
    /// Takes in a line such as `test result: ok. 20 passed; 0 failed; 0 ignored; …`; any other is no matter.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for count in counts.split(';') {
            let mut words = count.split_whitespace();
            let Some(n) = words.next().and_then(|word| word.parse::<u64>().ok()) else { continue };
            match words.next() {
                Some("passed") => self.passed += n,
                Some("failed") => self.failed += n,
                Some("ignored") => self.ignored += n,
                _ => {}
            }
        }
    }
}

impl std::fmt::Display for Total {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Total { passed, failed, ignored } = self;
        let verdict = if *failed == 0 { "ok" } else { "FAILED" };
        write!(
            f,
            "\ntest result, all together: {verdict}. {passed} passed; {failed} failed; {ignored} ignored"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_chosen_before_the_dashes_only() {
        let chooses =
            |line: &str| chooses_packages(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert!(chooses("-p xtask") && chooses("filter --package=xtask") && chooses("-pxtask"));
        assert!(!chooses("filter -- -p") && !chooses("--profile ci") && !chooses(""));
    }

    #[test]
    fn summaries_are_added_up_and_other_lines_are_not() {
        let mut total = Total::default();
        for line in [
            "running 20 tests",
            "test result: ok. 20 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.24s",
            "test a::b ... ok",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.00s",
        ] {
            total.add(line);
        }
        assert_eq!(total, Total { passed: 23, failed: 2, ignored: 1 });
        assert!(total.to_string().contains("FAILED. 23 passed; 2 failed; 1 ignored"));
    }
}
