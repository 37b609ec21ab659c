//! The pinned ONNX Runtime: one wheel for each platform, with the checksums of the wheel and of the library
//! in it.
//!
//! Every row was made by downloading the wheel with pip and hashing it. To move to another version, change
//! [`VERSION`] and the rows together, and [`GPU`] by itself; nothing else in the repository names a wheel.

/// The release of ONNX Runtime that earmark is tested with.
pub(crate) const VERSION: &str = "1.32.0";

/// Its package.
const PACKAGE: &str = "onnxruntime";

/// The oldest release whose C API the `ort` crate accepts as we build it (feature `api-20`).
pub(crate) const OLDEST_MINOR: u32 = 20;

/// The wheel and the library for one kind of machine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Platform {
    /// `std::env::consts::OS`
    pub(crate) os: &'static str,
    /// `std::env::consts::ARCH`
    pub(crate) arch: &'static str,
    /// The package on PyPI, and its release.
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    /// What pip is told with `--platform`.
    pub(crate) pip_tag: &'static str,
    /// The wheel's file name.
    pub(crate) wheel: &'static str,
    pub(crate) wheel_sha256: &'static str,
    /// The library's file name, in the wheel and in `.onnxruntime/`.
    pub(crate) library: &'static str,
    pub(crate) library_sha256: &'static str,
    /// Further libraries that go beside it, with their checksums.
    pub(crate) providers: &'static [(&'static str, &'static str)],
}

/// The one that runs on NVIDIA's GPUs: the newest release that there is of it, for CUDA 13.
pub(crate) const GPU: Platform = Platform {
    os: "linux",
    arch: "x86_64",
    package: "onnxruntime-gpu",
    version: "1.31.1",
    pip_tag: "manylinux_2_28_x86_64",
    wheel: "onnxruntime_gpu-1.31.1-cp311-cp311-manylinux_2_28_x86_64.whl",
    wheel_sha256: "e26c475fe361b2015f45b4b824bd13f0bb20204e59b62814e6f0acd5f3d491a6",
    library: "libonnxruntime.so.1.31.1",
    library_sha256: "5104254339ecadae808da771bd0b63b240f0dbd466514234905e54372435c303",
    providers: &[
        (
            "libonnxruntime_providers_shared.so",
            "086ec1d5388f64153d9c63470d126693db9a182c8ce236d3a1119068471b8a0d",
        ),
        (
            "libonnxruntime_providers_cuda.so",
            "d5290158115fa5569a3fe8f1f4037ee9b0e86658a96e52f852bbb7039aa88137",
        ),
    ],
};

/// All that 1.32.0 was published for (Intel Macs are not among them).
pub(crate) const PLATFORMS: [Platform; 5] = [
    Platform {
        os: "linux",
        arch: "x86_64",
        package: PACKAGE,
        version: VERSION,
        pip_tag: "manylinux_2_28_x86_64",
        wheel: "onnxruntime-1.32.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        wheel_sha256: "5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d",
        library: "libonnxruntime.so.1.32.0",
        library_sha256: "6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f",
        providers: &[],
    },
    Platform {
        os: "linux",
        arch: "aarch64",
        package: PACKAGE,
        version: VERSION,
        pip_tag: "manylinux_2_28_aarch64",
        wheel: "onnxruntime-1.32.0-cp311-cp311-manylinux_2_28_aarch64.whl",
        wheel_sha256: "2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c",
        library: "libonnxruntime.so.1.32.0",
        library_sha256: "49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a",
        providers: &[],
    },
    Platform {
        os: "macos",
        arch: "aarch64",
        package: PACKAGE,
        version: VERSION,
        pip_tag: "macosx_14_0_arm64",
        wheel: "onnxruntime-1.32.0-cp311-cp311-macosx_14_0_arm64.whl",
        wheel_sha256: "366b9e53d07812cc5c92822cecf7563b76a8a0f32ba3bb8dd232a206ac3bcb6c",
        library: "libonnxruntime.1.32.0.dylib",
        library_sha256: "fa585fabbea65b823b9a8f7e27d46aee3989d1be7e36b528203d3a1fd613aae7",
        providers: &[],
    },
    Platform {
        os: "windows",
        arch: "x86_64",
        package: PACKAGE,
        version: VERSION,
        pip_tag: "win_amd64",
        wheel: "onnxruntime-1.32.0-cp311-cp311-win_amd64.whl",
        wheel_sha256: "d7e0c45cc5f456ad7805e6dd256a7662736cda9c2fd17becae194eb3c2f6df72",
        library: "onnxruntime.dll",
        library_sha256: "e9feebaed867b76f741c14ae64e056a3da64a153a61994f1fb48eadc7f9b3ba8",
        providers: &[],
    },
    Platform {
        os: "windows",
        arch: "aarch64",
        package: PACKAGE,
        version: VERSION,
        pip_tag: "win_arm64",
        wheel: "onnxruntime-1.32.0-cp311-cp311-win_arm64.whl",
        wheel_sha256: "23361cdf98afac352d10aa7d9e0a10ceaeb02d38430fb693c6eff370196db62d",
        library: "onnxruntime.dll",
        library_sha256: "d3587771474d96427cc5683fa49440127e928622a5e9df0f3e24209ae1fc42ad",
        providers: &[],
    },
];

impl Platform {
    /// The row for the machine this runs on. None with musl: the wheels are linked with glibc.
    pub(crate) fn host() -> Option<&'static Platform> {
        if cfg!(target_env = "musl") {
            return None;
        }
        Self::find(std::env::consts::OS, std::env::consts::ARCH)
    }

    fn find(os: &str, arch: &str) -> Option<&'static Platform> {
        PLATFORMS.iter().find(|platform| platform.os == os && platform.arch == arch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_pins_this_version_by_name_and_by_checksum() {
        for platform in PLATFORMS.iter().chain([&GPU]) {
            let prefix = format!("{}-{}-cp311-cp311-", platform.package.replace('-', "_"), platform.version);
            assert!(platform.wheel.starts_with(&prefix), "{}", platform.wheel);
            assert!(platform.wheel.contains(platform.pip_tag), "{}", platform.wheel);
            let providers = platform.providers.iter().map(|(_, sha256)| *sha256);
            for digest in [platform.wheel_sha256, platform.library_sha256].into_iter().chain(providers) {
                assert_eq!(digest.len(), 64, "{}", platform.wheel);
                assert!(digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
            }
            let named = platform.library.contains(platform.version);
            assert!(platform.os == "windows" || named, "{}", platform.library);
        }
    }

    #[test]
    fn no_two_rows_are_the_same_machine_or_the_same_file() {
        for (i, a) in PLATFORMS.iter().enumerate() {
            for b in &PLATFORMS[i + 1..] {
                assert_ne!((a.os, a.arch), (b.os, b.arch));
                assert_ne!(a.wheel_sha256, b.wheel_sha256);
                assert_ne!(a.library_sha256, b.library_sha256);
            }
        }
    }

    #[test]
    fn finds_a_known_machine_and_no_unknown_one() {
        assert_eq!(Platform::find("linux", "aarch64").map(|p| p.pip_tag), Some("manylinux_2_28_aarch64"));
        assert_eq!(Platform::find("macos", "x86_64"), None);
        assert_eq!(Platform::find("freebsd", "x86_64"), None);
    }
}
