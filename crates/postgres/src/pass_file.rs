//! Passwords from the file that PostgreSQL's own programs read: `HOST:PORT:DATABASE:USER:PASSWORD` on a line, `*` for
//! any, `\` before a `:` or `\` that is meant; the first line that fits counts (PostgreSQL's manual, "The Password
//! File"). An address without a user fits only lines for any.

use std::iter::Peekable;
use std::str::Chars;

use tokio_postgres::config::Host;

use crate::url::DatabaseUrl;

/// The port where an address names none.
pub(crate) const PORT: u16 = 5432;

impl DatabaseUrl {
    /// The password for this address in the text of a password file.
    #[must_use]
    pub fn password_in(&self, text: &str) -> Option<String> {
        let config = self.config(None);
        let host = match config.get_hosts().first()? {
            Host::Tcp(host) => host.clone(),
            // The usual folders of sockets count as this machine.
            #[cfg(unix)]
            Host::Unix(folder) => match folder.to_str() {
                Some("/tmp" | "/run/postgresql" | "/var/run/postgresql") => "localhost".to_owned(),
                _ => folder.display().to_string(),
            },
        };
        let port = config.get_ports().first().copied().unwrap_or(PORT).to_string();
        let user = config.get_user().unwrap_or_default();
        let name = config.get_dbname().unwrap_or(user);
        let asked = [host.as_str(), port.as_str(), name, user];
        let password =
            text.lines().filter(|line| !line.starts_with('#')).find_map(|line| password(line, asked))?;
        (!password.is_empty()).then_some(password)
    }
}

/// The password of a line that fits.
fn password(line: &str, asked: [&str; 4]) -> Option<String> {
    let mut rest = line.chars().peekable();
    for asked in asked {
        let is_any = rest.peek() == Some(&'*');
        let field = field(&mut rest)?;
        if !(is_any && field == "*" || field == asked) {
            return None;
        }
    }
    let mut password = String::new();
    while let Some(c) = rest.next() {
        password.push(if c == '\\' { rest.next().unwrap_or(c) } else { c });
    }
    Some(password)
}

/// The text up to the next colon; `None` if there is none.
fn field(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut field = String::new();
    loop {
        match rest.next()? {
            ':' => return Some(field),
            '\\' => field.push(rest.next()?),
            c => field.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_counts() {
        let file = "# db.example:5432:sounds:ann:commented\n\
                    other:*:*:*:wrong\n\
                    db.example:5433:sounds:ann:port\n\
                    db.example:*:sounds:ann:a\\:b\\\\c d\n\
                    *:*:*:bob:bob's\n\
                    broken line\n\
                    2001\\:db8:*:*:*:six\n\
                    none:*:*:*:\n\
                    none:*:*:*:late\n\
                    localhost:*:*:*:here\n";
        for (url, expected) in [
            ("postgres://ann@db.example/sounds", Some("a:b\\c d")),
            ("postgres://ann@db.example:5433/sounds", Some("port")),
            ("postgres://bob@anywhere/x", Some("bob's")),
            ("postgres://ann@db.example/other", None),
            ("postgres://ann@elsewhere/sounds", None),
            ("postgres://ann@none/sounds", None),
            ("postgres://ann@localhost/ann", Some("here")),
        ] {
            let url: DatabaseUrl = url.parse().unwrap();
            assert_eq!(url.password_in(file).as_deref(), expected, "{url}");
        }
    }
}
