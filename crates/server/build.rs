//! The page is embedded from `web/dist`; a file that is new there must be noticed too.

fn main() {
    println!("cargo:rerun-if-changed=../../web/dist");
}
