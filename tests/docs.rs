//! The commands in README.md, CONTRIBUTING.md and docs/, run as a reader would: in a folder like a fresh
//! checkout, in the order of the page, each page by itself. The output that a page shows must be what the
//! command prints.
//!
//! A command is a line of a code block that starts with `$ `; a `\` at its end continues it. What follows up
//! to the next command or blank line is its output. There, `…` stands for the rest of a line or for any text
//! within it, and alone on a line for any number of lines. Numbers with decimals may be off by three in the
//! last place, since other processors compute slightly other vectors. A command that ends with `&` must
//! print an address, and runs until the end of the page; later commands reach it at `localhost:7788`.
//!
//! Comments that readers do not see, on a line of their own:
//!
//! - `<!-- run: COMMAND -->` runs a command that the page does not show
//! - `<!-- not run -->` the commands of the next block are not run, but their flags must exist
//! - `<!-- exits 3 -->` the commands of the next block exit with this code instead of 0
//!
//! Flags of earmark and of `cargo xtask` in inline code must exist too, and so must the targets of links.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::sandbox::{Sandbox, repo};

/// One command of a page.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    line: usize,
    command: String,
    /// The lines of output that are shown; `None` if there are none.
    output: Option<Vec<String>>,
    mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Run, and exit with this code.
    Run(i32),
    /// Only check the flags.
    Check,
}

/// All pages: README.md, CONTRIBUTING.md and the guide.
fn pages() -> Vec<PathBuf> {
    let guide = fs::read_dir(repo().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = guide.filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    pages.extend([repo().join("README.md"), repo().join("CONTRIBUTING.md")]);
    pages.sort();
    pages
}

/// The commands of a page, in order.
fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut mode, mut used, mut fenced, mut open) = (Mode::Run(0), false, false, false);
    for (number, line) in text.lines().enumerate() {
        let comment = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->"));
        if let Some(comment) = comment {
            match comment.split_once(' ') {
                Some(("run:", command)) => steps.push(Step {
                    line: number + 1,
                    command: command.to_owned(),
                    output: None,
                    mode: Mode::Run(0),
                }),
                Some(("exits", code)) => mode = Mode::Run(code.parse().unwrap()),
                _ if comment == "not run" => mode = Mode::Check,
                _ => {}
            }
            continue;
        }
        if line.starts_with("```") {
            fenced = !fenced;
        }
        let code = if fenced { Some(line) } else { line.strip_prefix("    ") };
        match code {
            Some(code) if !line.starts_with("```") => {
                let continued = steps.last_mut().filter(|step| open && step.command.ends_with('\\'));
                if let Some(step) = continued {
                    step.command.pop();
                    step.command.push_str(code.trim_start());
                } else if let Some(command) = code.strip_prefix("$ ") {
                    (open, used) = (true, true);
                    let command = command.to_owned();
                    steps.push(Step { line: number + 1, command, output: None, mode });
                } else if open && !code.trim().is_empty() {
                    let step = steps.last_mut().unwrap();
                    step.output.get_or_insert_default().push(code.to_owned());
                } else {
                    open = false;
                }
            }
            _ => {
                open = false;
                // Blank lines may lie within a block. Text ends it, and what a comment said of it.
                if used && !fenced && !line.trim().is_empty() && !line.starts_with("```") {
                    (mode, used) = (Mode::Run(0), false);
                }
            }
        }
    }
    steps
}

/// A folder like a fresh checkout, and the servers that a page has started in it.
struct Place {
    dir: TempDir,
    servers: Vec<Child>,
    address: Option<String>,
}

impl Drop for Place {
    fn drop(&mut self) {
        for server in &mut self.servers {
            // It may have ended by itself.
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// Where the pages say that a server listens.
const ADDRESSES: [&str; 2] = ["localhost:7788", "127.0.0.1:7788"];

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy_tree(&repo().join("index-data"), &dir.path().join("index-data"));
        // By this file earmark knows a checkout, where its index is index-data/default.earmark.
        fs::create_dir_all(dir.path().join("crates/cli")).unwrap();
        fs::write(dir.path().join("crates/cli/main.rs"), "").unwrap();
        fs::create_dir(dir.path().join("home")).unwrap();
        Self { dir, servers: Vec::new(), address: None }
    }

    fn shell(&self, script: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_earmark"));
        let mut path = program.parent().unwrap().as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut command = Command::new("bash");
        Sandbox::without_settings(&mut command);
        command
            .current_dir(self.dir.path())
            .env("HOME", self.dir.path().join("home"))
            .env("PATH", path)
            .env("EARMARK_LOG", "warn")
            .args(["-c", &format!("exec 2>&1; set -o pipefail; {script}")])
            .stdin(Stdio::null());
        command
    }

    /// Runs a command; the error says what differs.
    fn run(&mut self, step: &Step, expected_code: i32) -> Result<(), String> {
        if let Some(server) = step.command.strip_suffix('&') {
            return self.serve(server, step.output.as_deref());
        }
        let mut script = step.command.clone();
        if let Some(address) = &self.address {
            script = ADDRESSES.iter().fold(script, |script, shown| script.replace(shown, address));
        }
        let output = self.shell(&script).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        if output.status.code() != Some(expected_code) {
            return Err(format!("{}, not {expected_code}\n{printed}", output.status));
        }
        compare(step.output.as_deref(), &printed)
    }

    fn serve(&mut self, command: &str, shown: Option<&[String]>) -> Result<(), String> {
        let mut shell = self.shell(&format!("exec {command}"));
        // Any free port, whatever the page says.
        let mut server = shell.env("EARMARK_LISTEN", "127.0.0.1:0").stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(server.stdout.take().unwrap()).lines();
        self.servers.push(server);
        let mut printed = String::new();
        for line in lines.map_while(Result::ok) {
            if let Some((_, address)) = line.split_once("listening on http://") {
                let address = address.trim_end_matches('/').to_owned();
                printed.push_str(&line.replace(&address, ADDRESSES[1]));
                wait_until_ready(&address);
                self.address = Some(address);
                return compare(shown, &printed);
            }
            printed.push_str(&line);
            printed.push('\n');
        }
        Err(format!("it ended without an address\n{printed}"))
    }
}

/// A server listens before it has opened the index; a minute is more than it takes anywhere.
fn wait_until_ready(address: &str) {
    for _ in 0..600 {
        let mut answer = String::new();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        stream.read_to_string(&mut answer).unwrap();
        if answer.starts_with("HTTP/1.1 200") {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{address} does not become ready");
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        match entry.file_type().unwrap().is_dir() {
            // Indexes of whoever works in this checkout.
            true if name.to_string_lossy().ends_with(".earmark") => {}
            true => copy_tree(&entry.path(), &to.join(name)),
            false => drop(fs::copy(entry.path(), to.join(name)).unwrap()),
        }
    }
}

/// Compares what a page shows, if anything, with what was printed.
fn compare(shown: Option<&[String]>, printed: &str) -> Result<(), String> {
    let Some(shown) = shown else { return Ok(()) };
    // Progress is shown where a run takes long.
    let shows = |line: &&str| !line.trim().is_empty() && !line.contains(" x real time  ETA ");
    let lines: Vec<&str> = printed.lines().filter(shows).collect();
    if lines_match(shown, &lines) {
        return Ok(());
    }
    Err(format!("the page shows\n{}\nit prints\n{}", shown.join("\n"), lines.join("\n")))
}

fn lines_match(shown: &[String], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line.trim() == "…" => {
            (0..=printed.len()).any(|skipped| lines_match(rest, &printed[skipped..]))
        }
        Some((line, rest)) => printed.split_first().is_some_and(|(first, others)| {
            tokens_match(&tokens(line), &tokens(first)) && lines_match(rest, others)
        }),
    }
}

#[derive(Debug)]
enum Token {
    Char(char),
    /// A number with decimals, and one in its last place.
    Number(f64, f64),
}

/// Characters and decimal numbers; white space of any length is one space.
fn tokens(line: &str) -> Vec<Token> {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut tokens = Vec::new();
    let mut rest = line.as_str();
    while let Some(first) = rest.chars().next() {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let whole = digits(rest);
        let places = match rest[whole..].strip_prefix('.') {
            Some(decimals) if whole > 0 => digits(decimals),
            _ => 0,
        };
        if places > 0 {
            let (number, after) = rest.split_at(whole + 1 + places);
            tokens.push(Token::Number(number.parse().unwrap(), 0.1_f64.powi(places as i32)));
            rest = after;
        } else {
            // Whole numbers digit by digit; `0:04.0` is `0:` and a number.
            tokens.push(Token::Char(first));
            rest = &rest[first.len_utf8()..];
        }
    }
    tokens
}

fn tokens_match(shown: &[Token], printed: &[Token]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((Token::Char('…'), rest)) => {
            (0..=printed.len()).any(|skipped| tokens_match(rest, &printed[skipped..]))
        }
        Some((token, rest)) => printed.split_first().is_some_and(|(first, others)| {
            let same = match (token, first) {
                (Token::Char(a), Token::Char(b)) => a == b,
                (Token::Number(a, place), Token::Number(b, _)) => (a - b).abs() < 3.5 * place,
                _ => false,
            };
            same && tokens_match(rest, others)
        }),
    }
}

/// Runs a page; gives what went wrong.
fn run_page(page: &Path) -> Vec<String> {
    let name = page.strip_prefix(repo()).unwrap().display();
    let text = fs::read_to_string(page).unwrap();
    let mut place = Place::new();
    let mut wrong = Vec::new();
    for step in steps(&text) {
        let Mode::Run(code) = step.mode else { continue };
        if let Err(why) = place.run(&step, code) {
            wrong.push(format!("{name}:{}: `{}`: {why}", step.line, step.command));
        }
    }
    wrong
}

#[cfg(unix)]
#[test]
fn every_command_in_the_documentation_prints_what_the_page_shows() {
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let runs: Vec<_> = pages().into_iter().map(|page| scope.spawn(move || run_page(&page))).collect();
        runs.into_iter().flat_map(|run| run.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What is in inline code, outside of code blocks.
fn inline_code(text: &str) -> Vec<String> {
    let mut prose = String::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        if !fenced && !line.starts_with("```") && !line.starts_with("    ") {
            prose.push_str(line);
            prose.push(' ');
        }
    }
    prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The long flags of a command that are not in the help for it.
fn unknown_flags(command: &str) -> Vec<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let help = match words[..] {
        ["cargo", "xtask", chore, ..] if chore.starts_with(|c: char| c.is_ascii_lowercase()) => {
            let source = fs::read_to_string(repo().join("crates/xtask/src/main.rs")).unwrap();
            let chores: Vec<&str> = source.split("name: \"").collect();
            let Some(help) = chores.iter().find(|text| text.starts_with(&format!("{chore}\""))) else {
                return vec![format!("chore {chore}")];
            };
            (*help).to_owned()
        }
        ["earmark", subcommand, ..]
            if subcommand != "help" && subcommand.starts_with(|c: char| c.is_ascii_lowercase()) =>
        {
            let nested = ["models", "spaces", "labels"].contains(&subcommand);
            let plain = |word: &&&str| nested && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            let action = words.get(2).filter(plain).filter(|word| !word.starts_with('-'));
            let args = [Some(subcommand), action.copied(), Some("--help")];
            let run = Sandbox::new().run(args.into_iter().flatten());
            if run.code != Some(0) {
                return vec![run.stderr];
            }
            run.stdout
        }
        _ => return Vec::new(),
    };
    let flags = words.iter().take_while(|word| **word != "--" && **word != "|");
    let long = flags.filter(|word| word.starts_with("--") && word.len() > 2);
    long.map(|word| word.split(['=', '[', ',', ';', ')']).next().unwrap().to_owned())
        .filter(|flag| {
            let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-');
            !help.match_indices(flag.as_str()).any(|(at, _)| ends(&help[at + flag.len()..]))
        })
        .collect()
}

#[test]
fn every_flag_in_the_documentation_exists() {
    let mut wrong = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let shown = steps(&text).into_iter().filter(|step| step.mode == Mode::Check).map(|step| step.command);
        for command in shown.chain(inline_code(&text)) {
            for flag in unknown_flags(&command) {
                wrong.push(format!("{}: `{command}`: there is no {flag}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Without its `$ `, a command would not be run.
#[test]
fn every_command_in_a_block_has_its_prompt() {
    for page in pages() {
        for line in fs::read_to_string(&page).unwrap().lines() {
            let code = line.strip_prefix("    ").unwrap_or_default();
            let bare = ["earmark ", "cargo ", "curl "].iter().any(|program| code.starts_with(program));
            assert!(!bare, "{}: `{code}` does not start with `$ `", page.display());
        }
    }
}

#[test]
fn every_link_in_the_documentation_leads_to_a_file() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let is_here = target.is_empty() || target.contains("://");
            assert!(is_here || page.parent().unwrap().join(target).exists(), "{}: {target}", page.display());
        }
    }
}

#[test]
fn commands_are_found_with_their_output_and_what_comments_say() {
    let text = "\
Text.

<!-- run: earmark index sounds -->
    $ earmark search \\
        dog
    1  0.79  dog.wav
    …

    $ earmark list

<!-- not run -->
```console
$ earmark serve
```

More.

<!-- exits 3 -->
    $ earmark index broken
";
    let step = |line, command: &str, output: Option<&[&str]>, mode| Step {
        line,
        command: command.to_owned(),
        output: output.map(|lines| lines.iter().map(|&line| line.to_owned()).collect()),
        mode,
    };
    let expected = [
        step(3, "earmark index sounds", None, Mode::Run(0)),
        step(4, "earmark search dog", Some(&["1  0.79  dog.wav", "…"]), Mode::Run(0)),
        step(9, "earmark list", None, Mode::Run(0)),
        step(13, "earmark serve", None, Mode::Check),
        step(19, "earmark index broken", None, Mode::Run(3)),
    ];
    assert_eq!(steps(text), expected);
}

#[test]
fn shown_output_matches_up_to_wildcards_and_the_last_place_of_decimals() {
    let matches = |shown: &[&str], printed: &str| {
        let shown: Vec<String> = shown.iter().map(|&line| line.to_owned()).collect();
        compare(Some(&shown), printed).is_ok()
    };
    assert!(matches(&["1  0.79  a.wav", "2  0.49  b.wav"], "1  0.80  a.wav\n\n2 0.47   b.wav\n"));
    assert!(!matches(&["1  0.79  a.wav"], "1  0.83  a.wav\n"));
    assert!(!matches(&["45 added"], "44 added\n"));
    assert!(!matches(&["a"], "a\nb\n"));
    assert!(matches(&["45 added; … (… x real time)"], "45 added; 3 min in 0.4 s (512 x real time)\n"));
    assert!(matches(&["…", "last"], "first\nsecond\nlast\n"));
    assert!(matches(&["first", "…"], "first\n"));
}

#[test]
fn flags_that_do_not_exist_are_named() {
    assert_eq!(unknown_flags("earmark search rain --top 3 --csv"), [""; 0]);
    assert_eq!(unknown_flags("earmark search rain --to-p 3"), ["--to-p"]);
    assert_eq!(unknown_flags("earmark models pull NAME --precision int8 --run"), ["--run"]);
    assert_eq!(unknown_flags("cargo xtask model mini --check"), [""; 0]);
    assert_eq!(unknown_flags("cargo xtask dance"), ["chore dance"]);
}
