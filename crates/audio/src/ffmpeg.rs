//! The second decoder: a child process for the codecs that are not decoded here.
//!
//! ffmpeg gets the file's name and nothing else: no network protocols, no standard input, and bounds on its
//! memory and time. Files that describe others (playlists) are refused before it is asked. It writes samples
//! to a pipe, which are read like those of any uncompressed file.
//!
//! A child that writes nothing for [`PATIENCE`], or does not end once its output has ended, is killed. If
//! earmark itself is killed, the pipe breaks: the child ends at its next write, and on Linux at the latest
//! when its processor time is used up. A child that neither writes nor computes stays. (`PR_SET_PDEATHSIG` is
//! no remedy: it would end the child with the thread that started it, while another may go on to read.)

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use symphonia::core::formats::FormatReader;
use symphonia::core::io::ReadOnlySource;
use tempfile::NamedTempFile;

use crate::container::pcm::{Coding, Pcm, PcmReader};
use crate::error::AudioError;
use crate::limits::Limits;
use crate::open_track::{from_symphonia, io_error, malformed, unsupported};

/// ffmpeg is given up when it writes nothing for so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of memory that ffmpeg may use, in one piece and all together.
const MAX_ALLOC: u64 = 256 << 20;
const MAX_MEMORY: u64 = 448 << 20;

/// Bytes that are read from the pipe at a time, and how many such blocks wait to be taken.
const BLOCK: usize = 1 << 16;
const BLOCKS: usize = 8;

/// Bytes of ffmpeg's messages that are kept.
const MAX_MESSAGE: u64 = 4096;

/// Bytes of an AU header that are always there.
const AU_HEADER: usize = 24;

/// ffmpeg, found but not yet started.
#[derive(Clone, Debug)]
pub struct Ffmpeg {
    program: PathBuf,
    version: Arc<OnceLock<String>>,
}

impl PartialEq for Ffmpeg {
    fn eq(&self, other: &Self) -> bool {
        self.program == other.program
    }
}

impl Ffmpeg {
    /// The program at `program`, which must be a file.
    ///
    /// # Errors
    /// Where there is no such file.
    pub fn at(program: &Path) -> io::Result<Self> {
        if std::fs::metadata(program)?.is_file() {
            return Ok(Self { program: program.to_path_buf(), version: Arc::default() });
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"))
    }

    /// The first `ffmpeg` of the folders in `path`, which is as the environment's `PATH`.
    pub fn find(path: &std::ffi::OsStr) -> Option<Self> {
        let name = format!("ffmpeg{}", std::env::consts::EXE_SUFFIX);
        // A relative folder would be searched wherever earmark is started.
        let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute());
        folders.map(|folder| folder.join(&name)).find_map(|program| Self::at(&program).ok())
    }

    /// What records call it, with its version: "ffmpeg 5.1.9".
    pub fn name(&self) -> &str {
        self.version.get_or_init(|| {
            let output = Command::new(&self.program).arg("-version").stdin(Stdio::null()).output();
            let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
            // "ffmpeg version 5.1.9-0+deb12u1 Copyright (c) ..."
            let version = text.ok().and_then(|text| text.split_whitespace().nth(2).map(str::to_owned));
            version.map_or_else(|| "ffmpeg".to_owned(), |version| format!("ffmpeg {version}"))
        })
    }

    /// Starts decoding.
    pub(crate) fn decode(
        &self,
        file: &str,
        input: Input<'_>,
        limits: &Limits,
    ) -> Result<Decoding, AudioError> {
        let failed = |source| io_error(file, source);
        let kept = match input {
            Input::Path(path) => (path.to_path_buf(), None),
            Input::Bytes(bytes) => {
                let mut copy = NamedTempFile::new().map_err(failed)?;
                copy.write_all(bytes).map_err(failed)?;
                (copy.path().to_path_buf(), Some(copy))
            }
        };
        if describes_files(input).map_err(failed)? {
            return Err(unsupported(file, "sound", "a playlist, or another description of files"));
        }
        let mut command = Command::new(&self.program);
        command.args(arguments(&kept.0, limits)).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| {
            failed(io::Error::new(e.kind(), format!("{} cannot be started: {e}", self.program.display())))
        })?;
        bound(&child, limits);
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(failed(io::Error::other("ffmpeg has no output")));
        };
        let mut output = Output::new(child, stdout, stderr, kept.1).map_err(failed)?;
        let header = au_header(&mut output).map_err(|e| match e.kind() {
            io::ErrorKind::InvalidData => malformed(file, "sound that ffmpeg decodes", e.to_string()),
            _ => failed(e),
        })?;
        let codec = header.codec().map_err(|bad| malformed(file, bad.expected, bad.received))?;
        let reader = PcmReader::new(Box::new(ReadOnlySource::new(output)), header, codec);
        Ok(Box::new(reader.map_err(|error| from_symphonia(file, error))?))
    }
}

/// Samples of a child process.
pub(crate) type Decoding = Box<dyn FormatReader>;

/// What ffmpeg is to decode.
#[derive(Clone, Copy)]
pub(crate) enum Input<'a> {
    Path(&'a Path),
    /// Written to a temporary file: ffmpeg must be able to look for the end.
    Bytes(&'a [u8]),
}

/// What makes ffmpeg take a file for an HLS playlist, a list to join, a DASH or IMF manifest, a session
/// description or the index of subtitles, in lower case. It may be behind the first bytes of something else.
const DESCRIPTIONS: [&[u8]; 6] = [
    b"#extm3u",
    b"ffconcat version",
    b"dash:profile",
    b"<compositionplaylist",
    b"c=in ip",
    b"# vobsub index",
];

/// Most bytes that ffmpeg looks at to guess the format.
const PROBED_BYTES: u64 = 1 << 20;

/// Whether ffmpeg might take the file for one that names others, which it would open.
fn describes_files(input: Input<'_>) -> io::Result<bool> {
    let mut head = Vec::new();
    match input {
        Input::Path(path) => File::open(path)?.take(PROBED_BYTES).read_to_end(&mut head)?,
        Input::Bytes(bytes) => bytes.take(PROBED_BYTES).read_to_end(&mut head)?,
    };
    head.make_ascii_lowercase();
    let names = |mark: &&[u8]| head.windows(mark.len()).any(|window| window == *mark);
    Ok(DESCRIPTIONS.iter().any(names))
}

fn arguments(input: &Path, limits: &Limits) -> Vec<OsString> {
    // The prefix keeps a name from being taken for an option or a network address.
    let mut name = OsString::from("file:");
    name.push(input);
    let seconds = format!("{:.0}", limits.max_decode_s.clamp(1.0, 1e9));
    let max_alloc = MAX_ALLOC.to_string();
    let mut arguments: Vec<OsString> = [
        // No network; `DESCRIPTIONS` keeps it from other files.
        ["-protocol_whitelist", "file,pipe"],
        ["-max_alloc", &max_alloc],
        ["-timelimit", &seconds],
        ["-threads", "1"],
        ["-loglevel", "error"],
    ]
    .iter()
    .flatten()
    .map(OsString::from)
    .collect();
    arguments.extend(["-nostdin", "-hide_banner", "-i"].map(OsString::from));
    arguments.push(name);
    // Time is the container's: gaps and a late start are filled with silence.
    let out = "-vn -sn -dn -map_metadata -1 -af aresample=async=1:first_pts=0 -c:a pcm_f32be -f au pipe:1";
    arguments.extend(out.split(' ').map(OsString::from));
    arguments
}

/// Bounds the child's memory and processor time.
#[cfg(target_os = "linux")]
fn bound(child: &Child, limits: &Limits) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return };
    let at_most = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    // Should it fail, ffmpeg's own limits are left.
    let _ = prlimit(Some(pid), Resource::Data, at_most(MAX_MEMORY));
    let _ = prlimit(Some(pid), Resource::Cpu, at_most(limits.max_decode_s.clamp(1.0, 1e9) as u64 + 1));
}

#[cfg(not(target_os = "linux"))]
fn bound(_: &Child, _: &Limits) {}

/// What ffmpeg writes, read on a thread, so that waiting for it can end.
struct Output {
    child: Child,
    blocks: Mutex<Receiver<io::Result<Vec<u8>>>>,
    messages: Mutex<Receiver<String>>,
    block: Vec<u8>,
    taken: usize,
    /// Whether anything came.
    has_begun: bool,
    /// Whether the child ended well.
    has_ended: bool,
    _input: Option<NamedTempFile>,
}

impl Output {
    fn new(
        mut child: Child,
        stdout: ChildStdout,
        stderr: ChildStderr,
        input: Option<NamedTempFile>,
    ) -> io::Result<Self> {
        let (send, blocks) = sync_channel(BLOCKS);
        let (tell, messages) = sync_channel(1);
        let threads = thread::Builder::new()
            .name("ffmpeg".to_owned())
            .spawn(move || pump(stdout, &send))
            .and_then(|_| thread::Builder::new().spawn(move || drop(tell.send(listen(stderr)))));
        if let Err(e) = threads {
            let _ = child.kill();
            let _ = child.wait();
            return Err(e);
        }
        Ok(Self {
            child,
            blocks: Mutex::new(blocks),
            messages: Mutex::new(messages),
            block: Vec::new(),
            taken: 0,
            has_begun: false,
            has_ended: false,
            _input: input,
        })
    }

    /// The next block; empty at the end.
    fn next_block(&mut self) -> io::Result<Vec<u8>> {
        let blocks = self.blocks.get_mut().unwrap_or_else(PoisonError::into_inner);
        match blocks.recv_timeout(patience()) {
            Ok(block) => {
                self.has_begun = true;
                block
            }
            Err(RecvTimeoutError::Timeout) => {
                let what = format!("ffmpeg wrote nothing for {:.1} s", patience().as_secs_f64());
                Err(io::Error::new(io::ErrorKind::TimedOut, what))
            }
            Err(RecvTimeoutError::Disconnected) if self.has_ended => Ok(Vec::new()),
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.end_of_child()?;
                if status.is_some_and(|status| status.success()) {
                    self.has_ended = true;
                    return Ok(Vec::new());
                }
                if self.has_begun {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                if status.is_none() {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "ffmpeg wrote nothing and did not end",
                    ));
                }
                let messages = self.messages.get_mut().unwrap_or_else(PoisonError::into_inner);
                let said = messages.recv_timeout(patience()).unwrap_or_default();
                let said =
                    said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("no reason given");
                Err(io::Error::new(io::ErrorKind::InvalidData, format!("what ffmpeg refuses ({said})")))
            }
        }
    }
}

impl Output {
    /// How the child ended; `None` if it had to be killed.
    fn end_of_child(&mut self) -> io::Result<Option<ExitStatus>> {
        let given_up = Instant::now() + patience();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= given_up {
                self.child.kill()?;
                self.child.wait()?;
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.block.len() {
            self.block = self.next_block()?;
            self.taken = 0;
        }
        let left = &self.block[self.taken..];
        let read = left.len().min(buffer.len());
        buffer[..read].copy_from_slice(&left[..read]);
        self.taken += read;
        Ok(read)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// [`PATIENCE`]; tests have less.
fn patience() -> Duration {
    if cfg!(test) {
        return Duration::from_millis(300);
    }
    #[cfg(debug_assertions)]
    if let Some(ms) = std::env::var("EARMARK_FFMPEG_PATIENCE_MS").ok().and_then(|ms| ms.parse().ok()) {
        return Duration::from_millis(ms);
    }
    PATIENCE
}

fn pump(mut stdout: ChildStdout, blocks: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut block = vec![0; BLOCK];
        let read = match stdout.read(&mut block) {
            Ok(0) => return,
            Ok(read) => {
                block.truncate(read);
                Ok(block)
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => Err(e),
        };
        let is_last = read.is_err();
        // Nobody takes it any more: dropping the pipe ends ffmpeg.
        if blocks.send(read).is_err() || is_last {
            return;
        }
    }
}

/// The first of ffmpeg's messages; the others are read and dropped, so that ffmpeg need not wait.
fn listen(mut stderr: ChildStderr) -> String {
    let mut kept = Vec::new();
    let _ = (&mut stderr).take(MAX_MESSAGE).read_to_end(&mut kept);
    let _ = io::copy(&mut stderr, &mut io::sink());
    String::from_utf8_lossy(&kept).into_owned()
}

/// Reads the header of the AU stream that ffmpeg writes (see `container::au`), up to the first sample.
fn au_header(output: &mut Output) -> io::Result<Pcm> {
    let mut header = [0; AU_HEADER];
    let refused = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    output.read_exact(&mut header).map_err(|e| match e.kind() {
        io::ErrorKind::UnexpectedEof => refused("a file in which ffmpeg finds no sound"),
        _ => e,
    })?;
    let field = |number: usize| {
        let four = &header[number * 4..number * 4 + 4];
        u32::from_be_bytes([four[0], four[1], four[2], four[3]])
    };
    let start = u64::from(field(1));
    if &header[..4] != b".snd" || field(3) != 6 || !(24..1 << 16).contains(&start) {
        return Err(refused("output of ffmpeg that is no AU stream"));
    }
    io::copy(&mut output.take(start - AU_HEADER as u64), &mut io::sink())?;
    let channels = u16::try_from(field(5)).unwrap_or(u16::MAX);
    Ok(Pcm {
        format: "au",
        coding: Coding::Float,
        big_endian: true,
        sample_rate: field(4),
        channels,
        bits: 32,
        block_bytes: 4 * u32::from(channels.max(1)),
        block_frames: 1,
        start: 0,
        len: u64::MAX,
        declared: None,
        counted: None,
        frames: None,
    })
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use std::os::unix::fs::PermissionsExt;

    use symphonia::core::errors::Error;

    use super::*;

    #[test]
    fn a_child_that_ends_its_output_and_stays_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let head = [24, u32::MAX, 6, 16_000, 1].map(u32::to_be_bytes).concat();
        std::fs::write(path("au"), [&b".snd"[..], &head, &[0; 4 * 1152 * 4]].concat()).unwrap();
        for (output, packets) in [(format!("cat '{}'", path("au").display()), Some(4)), (String::new(), None)]
        {
            let script = format!("echo $$ > '{}'\n{output}\nexec sleep 100 >&- 2>&-", path("pid").display());
            std::fs::write(path("ffmpeg"), format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(path("ffmpeg"), std::fs::Permissions::from_mode(0o755)).unwrap();
            let ffmpeg = Ffmpeg::at(&path("ffmpeg")).unwrap();
            let decoding = ffmpeg.decode("a.wv", Input::Bytes(b"wvpk\0\0"), &Limits::default());
            match (decoding, packets) {
                (Ok(mut decoding), Some(packets)) => {
                    for _ in 0..packets {
                        assert!(decoding.next_packet().unwrap().is_some());
                    }
                    // As if it had crashed.
                    let end = decoding.next_packet();
                    let is_cut = |e: &io::Error| e.kind() == io::ErrorKind::UnexpectedEof;
                    assert!(matches!(&end, Err(Error::IoError(e)) if is_cut(e)), "{end:?}");
                }
                (Err(error), None) => assert!(error.to_string().contains("did not end"), "{error}"),
                (decoding, _) => panic!("{:?}", decoding.err()),
            }
            let pid = std::fs::read_to_string(path("pid")).unwrap();
            let is_there = Command::new("kill").args(["-0", pid.trim()]).stderr(Stdio::null()).status();
            assert!(!is_there.unwrap().success(), "it outlived its output");
        }
    }
}
