//! A model hub for tests, on this machine: HTTP/1.1 by `std::net`, with as many faults as wanted. The tests of the
//! program include this file too.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What goes wrong with one answer to a GET.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Another status, with headers.
    Status(u16, &'static [(&'static str, &'static str)]),
    /// The connection ends after so many bytes of the body.
    CutAfter(usize),
    /// Nothing comes after so many bytes of the body, for so long.
    StallAfter(usize, Duration),
    /// One byte at a time, with this long between.
    Trickle(Duration),
    /// To this address.
    Redirect(String),
    /// `Content-Length` is wrong by so much; the body is what it should be.
    LengthLie(i64),
    /// No `Content-Length` at all; the body ends with the connection.
    NoLength,
    /// Chunked, with these bytes instead of the file's.
    Chunked(Vec<u8>),
    /// These bytes instead of the file's.
    Instead(Vec<u8>),
    /// `Range` is ignored.
    IgnoreRange,
    /// `Content-Range` is this.
    ContentRange(&'static str),
    /// Bytes nobody would call HTTP.
    Garbage,
}

/// A file on the hub.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    pub(crate) bytes: Vec<u8>,
    pub(crate) etag: String,
    /// In large-file storage: a redirect to `/store/…`, as on the real hub.
    pub(crate) linked: bool,
}

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
}

#[derive(Debug, Default)]
struct State {
    files: HashMap<String, Remote>,
    faults: VecDeque<Fault>,
    head_faults: VecDeque<Fault>,
    requests: Vec<Request>,
    token: Option<String>,
}

/// A running server. It ends with the test's process.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
}

/// The commit that every revision is here.
pub(crate) const COMMIT: &str = "c28f2883575e590e04d3146ff0713c2448d691ba";

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = Self { address, state: Arc::default() };
        let running = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = running.clone();
                // A client that gives up ends its thread with an error, which nobody needs to hear.
                std::thread::spawn(move || server.serve(stream));
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts a file at `REPO/resolve/…/PATH`.
    pub(crate) fn add(&self, repo: &str, path: &str, file: Remote) {
        self.lock().files.insert(format!("{repo}:{path}"), file);
    }

    /// What goes wrong with the next GETs of file contents, one each.
    pub(crate) fn faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.lock().faults.extend(faults);
    }

    /// What goes wrong with the next questions about files, one each.
    pub(crate) fn head_faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.lock().head_faults.extend(faults);
    }

    /// Wants this token for files; the store that files are redirected to never wants one.
    pub(crate) fn want_token(&self, token: &str) {
        self.lock().token = Some(format!("Bearer {token}"));
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    /// `Range` headers of the GETs so far.
    pub(crate) fn ranges(&self) -> Vec<Option<String>> {
        let gets = self.requests().into_iter().filter(|r| r.method == "GET");
        gets.map(|r| r.headers.get("range").cloned()).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        while let Some(request) = read_request(&mut reader)? {
            self.lock().requests.push(request.clone());
            if request.method == "CONNECT" {
                // As a proxy it leads nowhere but to itself.
                stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
                continue;
            }
            if !self.answer(&request, &mut stream)? {
                break;
            }
        }
        Ok(())
    }

    /// Whether the connection goes on.
    fn answer(&self, request: &Request, stream: &mut TcpStream) -> std::io::Result<bool> {
        let head = request.method == "HEAD";
        let fault = {
            let mut state = self.lock();
            if head { state.head_faults.pop_front() } else { state.faults.pop_front() }
        };
        match &fault {
            Some(Fault::Status(status, headers)) => {
                let headers: String = headers.iter().map(|(k, v)| format!("{k}: {v}\r\n")).collect();
                write!(stream, "HTTP/1.1 {status} Fault\r\n{headers}content-length: 0\r\n\r\n")?;
                return Ok(true);
            }
            Some(Fault::Redirect(to)) => {
                write!(stream, "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")?;
                return Ok(true);
            }
            Some(Fault::Garbage) => {
                stream.write_all(b"220 smtp ready\r\n")?;
                return Ok(false);
            }
            _ => {}
        }
        let stored = request.path.starts_with("/store/");
        let file = request.path.replacen("/store/", "/", 1);
        let named = file.trim_start_matches('/').split_once("/resolve/").and_then(|(repo, rest)| {
            let (_, path) = rest.split_once('/')?;
            self.lock().files.get(&format!("{repo}:{path}")).cloned()
        });
        let wanted = self.lock().token.clone();
        if !stored && wanted.is_some() && request.headers.get("authorization") != wanted.as_ref() {
            write!(
                stream,
                "HTTP/1.1 401 Unauthorized\r\nx-error-code: GatedRepo\r\ncontent-length: 0\r\n\r\n"
            )?;
            return Ok(true);
        }
        let Some(remote) = named else {
            write!(
                stream,
                "HTTP/1.1 404 Not Found\r\nx-error-code: EntryNotFound\r\ncontent-length: 0\r\n\r\n"
            )?;
            return Ok(true);
        };
        let (length, etag) = (remote.bytes.len(), &remote.etag);
        if remote.linked && !stored {
            write!(
                stream,
                "HTTP/1.1 302 Found\r\nlocation: /store{}\r\nx-repo-commit: {COMMIT}\r\netag: \"pointer\"\r\n\
                 x-linked-etag: \"{etag}\"\r\nx-linked-size: {length}\r\ncontent-length: 0\r\n\r\n",
                request.path
            )?;
            return Ok(true);
        }
        if head {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nx-repo-commit: {COMMIT}\r\netag: \"{etag}\"\r\ncontent-length: {length}\r\n\r\n"
            )?;
            return Ok(true);
        }
        send_file(stream, request, &remote, fault)
    }
}

fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = HashMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
            None => return Ok(Some(Request { method, path, headers })),
        };
    }
}

fn send_file(
    stream: &mut TcpStream,
    request: &Request,
    remote: &Remote,
    fault: Option<Fault>,
) -> std::io::Result<bool> {
    let all = match &fault {
        Some(Fault::Instead(bytes) | Fault::Chunked(bytes)) => bytes.clone(),
        _ => remote.bytes.clone(),
    };
    let range =
        request.headers.get("range").and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let range = range.filter(|_| !matches!(fault, Some(Fault::IgnoreRange)));
    if range.is_some_and(|start: usize| start >= all.len()) {
        write!(stream, "HTTP/1.1 416 Range Not Satisfiable\r\ncontent-length: 0\r\n\r\n")?;
        return Ok(true);
    }
    let body = &all[range.unwrap_or(0)..];
    let mut head = match range {
        None => "HTTP/1.1 200 OK\r\n".to_owned(),
        Some(start) => {
            let honest = format!("bytes {start}-{}/{}", all.len() - 1, all.len());
            let range = match fault {
                Some(Fault::ContentRange(lie)) => lie,
                _ => &honest,
            };
            format!("HTTP/1.1 206 Partial Content\r\ncontent-range: {range}\r\n")
        }
    };
    match fault {
        Some(Fault::NoLength) => head += "connection: close\r\n",
        Some(Fault::Chunked(_)) => head += "transfer-encoding: chunked\r\n",
        Some(Fault::LengthLie(by)) => head += &format!("content-length: {}\r\n", body.len() as i64 + by),
        _ => head += &format!("content-length: {}\r\n", body.len()),
    }
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"\r\n")?;
    match fault {
        Some(Fault::CutAfter(n)) => {
            stream.write_all(&body[..n.min(body.len())])?;
            return Ok(false);
        }
        Some(Fault::StallAfter(n, time)) => {
            stream.write_all(&body[..n.min(body.len())])?;
            std::thread::sleep(time);
            return Ok(false);
        }
        Some(Fault::Trickle(pause)) => {
            for byte in body {
                stream.write_all(&[*byte])?;
                std::thread::sleep(pause);
            }
        }
        Some(Fault::Chunked(_)) => {
            for chunk in body.chunks(1000) {
                write!(stream, "{:x}\r\n", chunk.len())?;
                stream.write_all(chunk)?;
                stream.write_all(b"\r\n")?;
            }
            stream.write_all(b"0\r\n\r\n")?;
        }
        Some(Fault::NoLength | Fault::LengthLie(_)) => {
            stream.write_all(body)?;
            return Ok(false);
        }
        _ => stream.write_all(body)?,
    }
    Ok(true)
}
