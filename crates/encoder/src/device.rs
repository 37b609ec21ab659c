//! What runs the audio graph: the processor, or another device that the loaded ONNX Runtime offers.
//!
//! Another device must give the processor's vectors, or an index would mix two spaces:
//! [`crate::Model::audio_encoder`] compares them on test signals each time it opens a graph there, and
//! refuses, or for [`DeviceChoice::Auto`] falls back, where they differ by more than [`TOLERANCE`]. So the
//! device is in no index's identity. Text stays on the processor, where one takes some hundredths of a
//! second.

use std::fmt::{self, Display};
use std::str::FromStr;

use ort::ep::{self, ExecutionProvider, ExecutionProviderDispatch};

/// How far a device's vectors may be from the processor's, as one minus the cosine: what resampling is
/// allowed too (models/README.md).
pub(crate) const TOLERANCE: f32 = 1e-4;

/// A device that ONNX Runtime can be built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The processor; every ONNX Runtime offers it.
    Cpu,
    /// NVIDIA's GPUs.
    Cuda,
    /// AMD's GPUs.
    MiGraphX,
    /// Any GPU, on Windows.
    DirectMl,
    /// Apple's GPUs and neural engine.
    CoreMl,
    /// Intel's GPUs, NPUs and processors.
    OpenVino,
}

/// Which device is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first GPU that is offered and works, else the processor.
    Auto,
    /// This one or none.
    Named(Device),
}

impl Default for DeviceChoice {
    fn default() -> Self {
        Self::Named(Device::Cpu)
    }
}

impl Device {
    /// All, in the order in which they are listed.
    pub const ALL: [Self; 6] =
        [Self::Cpu, Self::Cuda, Self::MiGraphX, Self::DirectMl, Self::CoreMl, Self::OpenVino];

    /// What [`DeviceChoice::Auto`] tries, in order. Not OpenVINO, which on a processor gains nothing, nor
    /// CoreML, which compiles a graph for up to minutes each time.
    const AUTO: [Self; 3] = [Self::Cuda, Self::MiGraphX, Self::DirectMl];

    /// The word that options use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::MiGraphX => "migraphx",
            Self::DirectMl => "directml",
            Self::CoreMl => "coreml",
            Self::OpenVino => "openvino",
        }
    }

    /// Whether the loaded ONNX Runtime was built for it; whether the machine has one shows when a graph is
    /// opened.
    fn offered(self) -> bool {
        let offered = match self {
            Self::Cpu => Ok(true),
            Self::Cuda => ep::CUDA::is_available(),
            Self::MiGraphX => ep::MIGraphX::is_available(),
            Self::DirectMl => ep::DirectML::is_available(),
            Self::CoreMl => ep::CoreML::is_available(),
            Self::OpenVino => ep::OpenVINO::is_available(),
        };
        offered.unwrap_or(false)
    }

    /// What ONNX Runtime is given to use it, in full precision; `None` for the processor.
    pub(crate) fn provider(self) -> Option<ExecutionProviderDispatch> {
        let provider = match self {
            Self::Cpu => return None,
            // TF32 has 10 bits of mantissa.
            Self::Cuda => ep::CUDA::default().with_tf32(false).build(),
            Self::MiGraphX => ep::MIGraphX::default().with_fp16(false).build(),
            Self::DirectMl => ep::DirectML::default().build(),
            Self::CoreMl => ep::CoreML::default().with_low_precision_accumulation_on_gpu(false).build(),
            Self::OpenVino => ep::OpenVINO::default().with_precision("FP32").build(),
        };
        Some(provider.error_on_failure())
    }
}

impl Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => Device::ALL
                .into_iter()
                .find(|device| device.as_str() == text)
                .map(Self::Named)
                .ok_or_else(|| format!("expected auto, {}", Device::ALL.map(Device::as_str).join(", "))),
        }
    }
}

/// The devices to try, in order; the first that works is used.
///
/// # Errors
/// The device that is wanted and not offered, with those that are.
pub(crate) fn candidates(choice: DeviceChoice) -> Result<Vec<Device>, (Device, Vec<Device>)> {
    choose(choice, Device::offered)
}

fn choose(
    choice: DeviceChoice,
    offered: impl Fn(Device) -> bool,
) -> Result<Vec<Device>, (Device, Vec<Device>)> {
    match choice {
        DeviceChoice::Named(Device::Cpu) => Ok(vec![Device::Cpu]),
        DeviceChoice::Named(device) if offered(device) => Ok(vec![device]),
        DeviceChoice::Named(device) => {
            Err((device, Device::ALL.into_iter().filter(|device| offered(*device)).collect()))
        }
        DeviceChoice::Auto => {
            let found = Device::AUTO.into_iter().filter(|device| offered(*device));
            Ok(found.chain([Device::Cpu]).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_takes_what_is_offered_and_then_the_processor() {
        let with = |offered: &'static [Device]| choose(DeviceChoice::Auto, |d| offered.contains(&d)).unwrap();
        assert_eq!(with(&[]), [Device::Cpu]);
        assert_eq!(with(&[Device::Cuda]), [Device::Cuda, Device::Cpu]);
        assert_eq!(with(&[Device::DirectMl, Device::OpenVino]), [Device::DirectMl, Device::Cpu]);
        assert_eq!(with(&[Device::CoreMl]), [Device::Cpu], "only when it is asked for");
    }

    #[test]
    fn a_device_that_is_named_is_used_or_refused_with_those_there_are() {
        let only_cpu = |device| device == Device::Cpu;
        assert_eq!(choose(DeviceChoice::default(), only_cpu), Ok(vec![Device::Cpu]));
        assert_eq!(choose("cpu".parse().unwrap(), |_| false), Ok(vec![Device::Cpu]));
        assert_eq!(choose("cuda".parse().unwrap(), only_cpu), Err((Device::Cuda, vec![Device::Cpu])));
        assert_eq!(choose("coreml".parse().unwrap(), |_| true), Ok(vec![Device::CoreMl]));
    }

    #[test]
    fn a_device_that_there_is_not_is_refused_with_the_names() {
        let e = "gpu".parse::<DeviceChoice>().unwrap_err();
        assert!(e.contains("auto, cpu, cuda") && e.contains("openvino"), "{e}");
    }
}
