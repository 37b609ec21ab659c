//! Memory in huge pages.
//!
//! Opening a model fills some 200 MB with weights, and on Linux half the time of a search from the command line
//! went into page faults: 50,000 of 4 kB. glibc's `malloc` can ask for pages of 2 MB (`glibc.malloc.hugetlb=1`
//! in the GNU C library's manual, "Memory Allocation Tunables"), but reads that wish from the environment only, before
//! `main`. So the program starts itself again with it, under the same process id, which takes 2 ms.

/// The tunable's name.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const TUNABLE: &str = "glibc.malloc.hugetlb";

/// Starts the program again with huge pages, where that makes a difference; else, or when that fails, returns.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn ask_for() {
    use std::os::unix::process::CommandExt as _;

    // `always` needs no asking, and `never` hears none.
    let policy = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    if !policy.is_ok_and(|policy| policy.contains("[madvise]")) {
        return;
    }
    let before = std::env::var_os("GLIBC_TUNABLES").unwrap_or_default();
    let Some(tunables) = tunables(before.to_str()) else { return };
    let mut args = std::env::args_os();
    let (Some(name), Ok(program)) = (args.next(), std::env::current_exe()) else { return };
    // What runs may be a loader that was given this program.
    if program.file_name() != std::path::Path::new(&name).file_name() {
        return;
    }
    let _failed =
        std::process::Command::new(program).arg0(name).args(args).env("GLIBC_TUNABLES", tunables).exec();
}

/// Tunables to start with, where `before` says nothing of huge pages yet. So the program starts itself only once.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn tunables(before: Option<&str>) -> Option<String> {
    let before = before?;
    let separator = if before.is_empty() { "" } else { ":" };
    (!before.contains(TUNABLE)).then(|| format!("{before}{separator}{TUNABLE}=1"))
}

/// There is nothing to ask on this system.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn ask_for() {}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::tunables;

    #[test]
    fn tunables_are_added_once_and_what_the_user_set_stays() {
        let once = tunables(Some("")).unwrap();
        assert_eq!(once, "glibc.malloc.hugetlb=1");
        assert_eq!(tunables(Some(&once)), None);
        assert_eq!(tunables(Some("glibc.malloc.hugetlb=0")), None);
        assert_eq!(
            tunables(Some("glibc.malloc.check=3")).as_deref(),
            Some("glibc.malloc.check=3:glibc.malloc.hugetlb=1")
        );
        assert_eq!(tunables(None), None, "what is no text is left alone");
    }
}
