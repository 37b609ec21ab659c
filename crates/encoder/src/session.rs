//! A graph, opened once and run by any number of threads.
//!
//! One session serves all workers: opening one takes up to a second of processor time and holds a copy of the
//! weights. `ort` asks for `&mut` to run a session, since not all of ONNX Runtime's execution providers bear
//! concurrent runs; so this module calls ONNX Runtime's `Run` itself, and lets threads run at once only what
//! is on the processor, for which ONNX Runtime promises it (`InferenceSession::Run` in `inference_session.h`:
//! "Multiple threads are allowed to run this function"; github.com/microsoft/onnxruntime/issues/114 and
//! 22967).

use std::ffi::{CStr, CString};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, PoisonError};

use half::f16;
use ort::AsPointer;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Outlet, TensorElementType, TensorRef, ValueType};

use crate::graph_cache::{GraphCache, Stage, WEIGHTS};
use crate::{Device, EncoderError, Model, Runtime};

/// A tensor of a graph, as a manifest names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tensor<'a> {
    /// The manifest's field, for errors.
    pub(crate) field: &'static str,
    pub(crate) name: &'a str,
    /// The shape that it is given, -1 where it varies; empty where that is not known.
    pub(crate) axes: &'a [i64],
}

/// Shape of an output, and its values, row-major.
pub(crate) type Output = (Vec<i64>, Vec<f32>);

/// A graph that is ready to run. Clones are the same session.
#[derive(Debug, Clone)]
pub(crate) struct GraphSession {
    opened: Arc<Opened>,
}

#[derive(Debug)]
struct Opened {
    session: Session,
    /// Taken by each run where the device bears only one at a time.
    turns: Option<Mutex<()>>,
    /// For errors: the model's id, and the graph's file.
    model: String,
    graph: String,
    inputs: Vec<CString>,
    outputs: Vec<CString>,
    /// Which of the inputs take 16-bit floats.
    half_inputs: Vec<bool>,
}

impl GraphSession {
    /// Opens `graph` on `device`; it must have exactly the tensors `inputs` going in, and `outputs` among
    /// those coming out.
    ///
    /// # Errors
    /// [`EncoderError::File`], [`EncoderError::FileMismatch`], [`EncoderError::Graph`],
    /// [`EncoderError::Ort`], [`EncoderError::Device`].
    pub(crate) fn open(
        model: &Model,
        runtime: &Runtime,
        device: Device,
        graph: &str,
        inputs: &[Tensor<'_>],
        outputs: &[Tensor<'_>],
    ) -> Result<Self, EncoderError> {
        let session = match device {
            Device::Cpu => open_on_processor(model, runtime, graph)?,
            _ => open_on_device(model, runtime, device, graph)?,
        };
        let id = &model.manifest().id;
        check_tensors(id, graph, &session, inputs, outputs)?;
        // A name with a NUL in it is none of the graph's, and was refused.
        let c_strings = |tensors: &[Tensor<'_>]| {
            tensors.iter().filter_map(|tensor| CString::new(tensor.name).ok()).collect()
        };
        let is_half = |tensor: &Tensor<'_>| {
            let input = session.inputs().iter().find(|input| input.name() == tensor.name);
            let dtype = input.map(Outlet::dtype);
            matches!(dtype, Some(ValueType::Tensor { ty: TensorElementType::Float16, .. }))
        };
        let half_inputs = inputs.iter().map(is_half).collect();
        Ok(Self {
            opened: Arc::new(Opened {
                session,
                half_inputs,
                turns: (device != Device::Cpu).then(Mutex::default),
                model: id.clone(),
                graph: graph.to_owned(),
                inputs: c_strings(inputs),
                outputs: c_strings(outputs),
            }),
        })
    }

    /// Runs the graph on `inputs`, one for each tensor that [`GraphSession::open`] was told of, in that
    /// order. Gives shape and values of each output that it was told of, row-major.
    ///
    /// # Errors
    /// [`EncoderError::Ort`] when the run fails or an output is not of floats.
    pub(crate) fn run(&self, inputs: &[SessionInputValue<'_>]) -> Result<Vec<Output>, EncoderError> {
        let opened = &*self.opened;
        let _turn = opened.turns.as_ref().map(|turns| turns.lock().unwrap_or_else(PoisonError::into_inner));
        let values = opened.run(inputs).map_err(|reason| self.failed(reason))?;
        values.iter().map(|value| read(value).map_err(|e| self.failed(e.to_string()))).collect()
    }

    /// `values` of `shape` for the graph's input of that number, in its precision: 32-bit floats, or 16-bit
    /// ones where the whole graph is of those.
    ///
    /// # Errors
    /// [`EncoderError::Ort`] when there are not as many values as the shape says.
    pub(crate) fn floats<'v>(
        &self,
        input: usize,
        shape: Vec<i64>,
        values: &'v [f32],
    ) -> Result<SessionInputValue<'v>, EncoderError> {
        let half = self.opened.half_inputs.get(input) == Some(&true);
        let value = if half {
            let values: Vec<f16> = values.iter().map(|value| f16::from_f32(*value)).collect();
            ort::value::Tensor::from_array((shape, values)).map(Into::into)
        } else {
            TensorRef::from_array_view((shape, values)).map(Into::into)
        };
        value.map_err(|e| self.failed(e.to_string()))
    }

    /// An error of this graph's: `what` of it is not as `expected`.
    pub(crate) fn mismatch(&self, what: &str, expected: String, received: String) -> EncoderError {
        EncoderError::Graph {
            model: self.opened.model.clone(),
            graph: self.opened.graph.clone(),
            what: what.to_owned(),
            expected,
            received,
        }
    }

    /// An error of ONNX Runtime's in a run.
    pub(crate) fn failed(&self, reason: String) -> EncoderError {
        let opened = &self.opened;
        let inputs: Vec<_> = opened.inputs.iter().map(|name| name.to_string_lossy()).collect();
        EncoderError::Ort {
            model: opened.model.clone(),
            what: format!(
                "{} does not run on the {} that the manifest describes",
                opened.graph,
                inputs.join(" and ")
            ),
            reason,
        }
    }
}

impl Opened {
    /// One run; an error is ONNX Runtime's message.
    fn run(&self, inputs: &[SessionInputValue<'_>]) -> Result<Vec<DynValue>, String> {
        if inputs.len() != self.inputs.len() {
            return Err(format!("{} inputs were given, not {}", inputs.len(), self.inputs.len()));
        }
        let input_names: Vec<_> = self.inputs.iter().map(|name| name.as_ptr()).collect();
        let output_names: Vec<_> = self.outputs.iter().map(|name| name.as_ptr()).collect();
        let input_values: Vec<_> = inputs.iter().map(|value| value.ptr()).collect();
        let mut output_values = vec![ptr::null_mut(); output_names.len()];
        let api = ort::api();
        let session = self.session.inner();
        // SAFETY: the session lives as long as `self`, and ONNX Runtime does not change it in `Run`, which
        // any number of threads may call at once on the processor; elsewhere `turns` lets one in at a time.
        // Names and inputs are valid pointers of the lengths told (checked above), and outlive the call.
        // `Run` fills `output_values`, of the length told, with values that are ours, or, when it fails,
        // leaves them null.
        #[allow(unsafe_code)]
        let status = unsafe {
            (api.Run)(
                session.ptr().cast_mut(),
                ptr::null(),
                input_names.as_ptr(),
                input_values.as_ptr(),
                input_values.len(),
                output_names.as_ptr(),
                output_names.len(),
                output_values.as_mut_ptr(),
            )
        };
        let allocator = self.session.allocator();
        let values: Vec<DynValue> = output_values
            .into_iter()
            .filter_map(NonNull::new)
            // SAFETY: a value that `Run` made for us, which nobody else frees; the session's allocator made
            // it.
            .map(|value| {
                #[allow(unsafe_code)]
                unsafe {
                    DynValue::from_ptr(value, Some(allocator))
                }
            })
            .collect();
        if !status.0.is_null() {
            // SAFETY: a status that is not null has a message, valid until it is released, once, here.
            #[allow(unsafe_code)]
            let message = unsafe {
                let message = CStr::from_ptr((api.GetErrorMessage)(status.0)).to_string_lossy().into_owned();
                (api.ReleaseStatus)(status.0);
                message
            };
            return Err(message);
        }
        if values.len() != self.outputs.len() {
            return Err(format!("{} outputs came, not {}", values.len(), self.outputs.len()));
        }
        Ok(values)
    }
}

/// Opens a graph on the processor: as it was optimised before, where that is kept, else the original, which
/// is then kept optimised.
fn open_on_processor(model: &Model, runtime: &Runtime, graph: &str) -> Result<Session, EncoderError> {
    let kept = runtime.graphs().zip(GraphCache::name_of(model.manifest(), graph, runtime.build()));
    let Some((cache, name)) = kept else { return open_original(model, runtime, graph, None) };
    if let Some(path) = cache.find(&name) {
        if let Some(folder) = model.folder()
            && !cache.is_of(&name, folder, model.manifest())
        {
            // Written to since: what they are now must be what the manifest says.
            model.verify_once()?;
            cache.note_originals(&name, folder, model.manifest());
        }
        let optimised = builder(runtime, GraphOptimizationLevel::Disable)
            .and_then(|mut builder| builder.commit_from_file(path).map_err(|e| e.to_string()));
        if let Ok(session) = optimised {
            return Ok(session);
        }
    }
    // A full disk must not keep anybody from searching.
    if let Some(stage) = cache.stage(&name)
        && let Ok(session) = open_original(model, runtime, graph, Some(&stage))
    {
        if stage.finish().is_ok()
            && let Some(folder) = model.folder()
        {
            cache.note_originals(&name, folder, model.manifest());
        }
        return Ok(session);
    }
    open_original(model, runtime, graph, None)
}

/// Opens a graph as the model has it, and writes it to `stage` as it was optimised.
fn open_original(
    model: &Model,
    runtime: &Runtime,
    graph: &str,
    stage: Option<&Stage>,
) -> Result<Session, EncoderError> {
    let failed = |reason: String| EncoderError::Ort {
        model: model.manifest().id.clone(),
        what: format!(
            "{graph} cannot be opened: it is no ONNX graph, is damaged, or is for a newer ONNX Runtime"
        ),
        reason,
    };
    let open = |level| {
        let mut builder = builder(runtime, level).map_err(failed)?;
        if let Some(stage) = stage {
            builder = saving(builder, stage).map_err(failed)?;
        }
        commit(model, graph, builder)?.map_err(failed)
    };
    // Graphs of 16-bit floats are reported to fail at some optimisations
    // (models/larger-clap-music-and-speech).
    open(GraphOptimizationLevel::All).or_else(|e| open(GraphOptimizationLevel::Level1).map_err(|_| e))
}

/// Opens a graph on another device than the processor, which runs what that device cannot.
fn open_on_device(
    model: &Model,
    runtime: &Runtime,
    device: Device,
    graph: &str,
) -> Result<Session, EncoderError> {
    let failed = |reason: String| EncoderError::Device {
        model: model.manifest().id.clone(),
        device,
        graph: graph.to_owned(),
        reason,
    };
    let mut builder = builder(runtime, GraphOptimizationLevel::All).map_err(failed)?;
    if let Some(provider) = device.provider() {
        builder = builder.with_execution_providers([provider]).map_err(|e| failed(e.to_string()))?;
    }
    commit(model, graph, builder)?.map_err(failed)
}

/// One thread a run: work is spread over files and windows, which scales better than splitting one operator,
/// and keeps results the same on any number of cores.
fn builder(runtime: &Runtime, level: GraphOptimizationLevel) -> Result<SessionBuilder, String> {
    let builder = Session::builder(&runtime.environment).map_err(|e| e.to_string())?;
    let builder = builder.with_optimization_level(level).map_err(|e| e.to_string())?;
    let builder = builder.with_intra_threads(1).map_err(|e| e.to_string())?;
    builder.with_intra_op_spinning(false).map_err(|e| e.to_string())
}

/// The weights go into a file of their own, which ONNX Runtime maps into memory instead of copying them.
fn saving(builder: SessionBuilder, stage: &Stage) -> Result<SessionBuilder, String> {
    let builder = builder.with_optimized_model_path(stage.graph()).map_err(|e| e.to_string())?;
    // Names of onnxruntime_session_options_config_keys.h.
    let external = "session.optimized_model_external_initializers";
    let builder =
        builder.with_config_entry(format!("{external}_file_name"), WEIGHTS).map_err(|e| e.to_string())?;
    builder.with_config_entry(format!("{external}_min_size_in_bytes"), "1024").map_err(|e| e.to_string())
}

/// Opens the model's file, held against its manifest. From disk, so that graphs with weights in files beside
/// them find those.
fn commit(
    model: &Model,
    graph: &str,
    mut builder: SessionBuilder,
) -> Result<Result<Session, String>, EncoderError> {
    let session = match model.folder() {
        Some(dir) => {
            model.verify_once()?;
            builder.commit_from_file(dir.join(graph))
        }
        None => builder.commit_from_memory(&model.read(graph)?),
    };
    Ok(session.map_err(|e| e.to_string()))
}

/// Shape and values of an output of 32-bit or 16-bit floats.
fn read(value: &DynValue) -> ort::Result<Output> {
    if let Ok((shape, values)) = value.try_extract_tensor::<f16>() {
        return Ok((shape.to_vec(), values.iter().map(|value| value.to_f32()).collect()));
    }
    let (shape, values) = value.try_extract_tensor::<f32>()?;
    Ok((shape.to_vec(), values.to_vec()))
}

/// Holds a graph's tensor names against the manifest's.
fn check_tensors(
    model: &str,
    graph: &str,
    session: &Session,
    inputs: &[Tensor<'_>],
    outputs: &[Tensor<'_>],
) -> Result<(), EncoderError> {
    let names = |outlets: &[Outlet]| outlets.iter().map(|o| o.name().to_owned()).collect::<Vec<_>>();
    let (have_inputs, have_outputs) = (names(session.inputs()), names(session.outputs()));
    let error = |what: String, expected: String, received: &str| EncoderError::Graph {
        model: model.to_owned(),
        graph: graph.to_owned(),
        what,
        expected,
        received: received.to_owned(),
    };
    let sides = [("inputs", inputs, &have_inputs), ("outputs", outputs, &have_outputs)];
    for (side, tensors, have) in sides {
        for Tensor { field, name, .. } in tensors {
            if !have.iter().any(|known| known == name) {
                let expected = format!("one of the graph's {side}: {}", have.join(", "));
                return Err(error(format!("`{field}`"), expected, name));
            }
        }
    }
    for Tensor { field, name, axes } in inputs {
        let input = session.inputs().iter().find(|input| input.name() == *name);
        let Some(ValueType::Tensor { shape, .. }) = input.map(Outlet::dtype) else { continue };
        let fits = shape.len() == axes.len()
            && shape.iter().zip(*axes).all(|(graph, ours)| *graph < 0 || *ours < 0 || graph == ours);
        if !axes.is_empty() && !fits {
            return Err(error(format!("`{field}`"), format!("the graph's {}", shown(shape)), &shown(axes)));
        }
    }
    let unnamed: Vec<&str> = have_inputs
        .iter()
        .map(String::as_str)
        .filter(|name| inputs.iter().all(|tensor| tensor.name != *name))
        .collect();
    if !unnamed.is_empty() {
        let names: Vec<&str> = inputs.iter().map(|tensor| tensor.name).collect();
        let expected = format!("inputs {}, as the manifest says", names.join(", "));
        return Err(error(
            "inputs".to_owned(),
            expected,
            &format!("a graph that also takes {}", unnamed.join(", ")),
        ));
    }
    Ok(())
}

/// A shape, with `?` for a length that may vary.
fn shown(shape: &[i64]) -> String {
    let axis = |n: &i64| if *n < 0 { "?".to_owned() } else { n.to_string() };
    format!("[{}]", shape.iter().map(axis).collect::<Vec<_>>().join(", "))
}
