//! The program that plays: the one in EARMARK_PLAYER, or the first that is installed.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// The variable with a command line.
const VARIABLE: &str = "EARMARK_PLAYER";

/// Players that are looked for, in this order. One without `{start}` gets the stretch alone, as a WAV file,
/// which all of them play, whatever the format of the sound.
const KNOWN: &[&str] = &[
    "ffplay -nodisp -autoexit -loglevel error -ss {start} -t {duration} {file}",
    "mpv --no-video --really-quiet --resume-playback=no --start={start} --length={duration} -- {file}",
    "play -q {file}",
    "pw-play {file}",
    "paplay {file}",
    "aplay -q {file}",
    "afplay {file}",
];

/// What to play of a file, in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    pub(super) start_s: f64,
    pub(super) duration_s: f64,
}

/// How a player is started.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Player {
    program: String,
    arguments: Vec<String>,
}

impl Player {
    /// The one in EARMARK_PLAYER, else the first that is installed.
    pub(super) fn find() -> Result<Self> {
        if let Some(line) = env::var_os(VARIABLE).filter(|line| !line.is_empty()) {
            let line = line.to_str().with_context(|| format!("{VARIABLE}: expected valid UTF-8"))?;
            return Self::parse(line);
        }
        let path = env::var_os("PATH").unwrap_or_default();
        for line in KNOWN {
            let player = Self::parse(line)?;
            if is_installed(&player.program, &path) {
                return Ok(player);
            }
        }
        bail!(
            "--play: no player is installed; install ffmpeg (it brings ffplay) or mpv, or put the command line \
             of another into {VARIABLE}, such as 'mplayer -ss {{start}} -endpos {{duration}} {{file}}'"
        );
    }

    /// A command line; the file comes last if `{file}` is not in it.
    fn parse(line: &str) -> Result<Self> {
        let mut words = words(line)?.into_iter();
        let Some(program) = words.next() else { bail!("{VARIABLE}: expected a command line, got `{line}`") };
        let mut arguments: Vec<String> = words.collect();
        if !arguments.iter().any(|argument| argument.contains("{file}")) {
            arguments.push("{file}".to_owned());
        }
        Ok(Self { program, arguments })
    }

    pub(super) fn name(&self) -> &str {
        &self.program
    }

    /// Whether it finds the stretch in a file by itself.
    pub(super) fn seeks(&self) -> bool {
        self.arguments.iter().any(|argument| argument.contains("{start}"))
    }

    /// Starts to play.
    pub(super) fn start(&self, file: &Path, stretch: Stretch) -> Result<Child> {
        // Keys such as `q` for the next one, where somebody may press them.
        let stdin = if io::stdin().is_terminal() { Stdio::inherit() } else { Stdio::null() };
        let arguments = self.arguments.iter().map(|argument| filled(argument, file, stretch));
        let mut command = Command::new(&self.program);
        // What players say must not get between the results.
        command.args(arguments).stdin(stdin).stdout(Stdio::from(io::stderr()));
        command.spawn().with_context(|| format!("{} cannot be started; is it installed?", self.program))
    }
}

/// An argument with what its placeholders stand for.
fn filled(argument: &str, file: &Path, stretch: Stretch) -> OsString {
    let argument = argument
        .replace("{start}", &format!("{:.3}", stretch.start_s))
        .replace("{duration}", &format!("{:.3}", stretch.duration_s));
    let mut filled = OsString::new();
    for (i, part) in argument.split("{file}").enumerate() {
        if i > 0 {
            filled.push(file);
        }
        filled.push(part);
    }
    filled
}

/// The words of a command line; quotes, single or double, keep white space.
fn words(line: &str) -> Result<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    if let Some(open) = quote {
        bail!("{VARIABLE}: expected a second {open} in `{line}`");
    }
    words.extend(word);
    Ok(words)
}

/// Whether a program of this name is in one of the folders of `path`.
fn is_installed(program: &str, path: &OsStr) -> bool {
    let name = format!("{program}{}", env::consts::EXE_SUFFIX);
    env::split_paths(path).filter(|folder| folder.is_absolute()).any(|folder| folder.join(&name).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_cut_at_white_space_outside_quotes() {
        let cut = |line: &str| words(line).unwrap();
        assert_eq!(cut("  play -q  {file} "), ["play", "-q", "{file}"]);
        assert_eq!(cut(r#""my player" --title='a "b"' ''"#), ["my player", r#"--title=a "b""#, ""]);
        assert!(words("play 'a").unwrap_err().to_string().contains("second '"));
    }

    #[test]
    fn placeholders_are_filled_and_a_file_without_one_comes_last() {
        let player = Player::parse("mpv --start={start} --length={duration}").unwrap();
        assert!(player.seeks());
        let stretch = Stretch { start_s: 1.5, duration_s: 2.25 };
        let file = Path::new("/a {start}.wav");
        let filled: Vec<OsString> = player.arguments.iter().map(|word| filled(word, file, stretch)).collect();
        assert_eq!(filled, ["--start=1.500", "--length=2.250", "/a {start}.wav"]);
        assert!(!Player::parse("aplay").unwrap().seeks());
        assert!(Player::parse(" ").is_err());
    }

    #[test]
    fn the_known_players_can_be_started() {
        for line in KNOWN {
            let player = Player::parse(line).unwrap();
            assert_eq!(player.arguments.iter().filter(|word| *word == "{file}").count(), 1, "{line}");
        }
    }
}
