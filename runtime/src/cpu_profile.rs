//! CPU profiles (`--cpu-prof`): V8's profile of where a program spends its time, from the start of
//! an engine to its end, in the format that Chrome's DevTools read.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::InspectorMsg;
use deno_core::InspectorSessionKind;
use deno_core::JsRuntime;
use deno_core::JsRuntimeInspector;
use deno_core::LocalInspectorSession;
use deno_core::serde_json;
use deno_core::serde_json::json;

use crate::cpu_profile_options::CpuProfileOptions;
use crate::written_file::WrittenFile;

/// The profile of one engine, which is being recorded.
pub(crate) struct CpuProfile {
    session: LocalInspectorSession,
    answer: Rc<RefCell<Option<String>>>,
    file: WrittenFile,
    name: Option<String>,
}

impl CpuProfile {
    /// Begins the recording. The engine's inspector must be on, with no debugger attached.
    pub(crate) fn start(runtime: &JsRuntime, options: CpuProfileOptions) -> Self {
        let answer = Rc::new(RefCell::new(None));
        let told = answer.clone();
        let hear = Box::new(move |message: InspectorMsg| {
            *told.borrow_mut() = Some(message.content);
        });
        let kind = InspectorSessionKind::NonBlocking {
            wait_for_disconnect: false,
        };
        let session = JsRuntimeInspector::create_local_session(runtime.inspector(), hear, kind);
        let mut profile = Self {
            session,
            answer,
            file: WrittenFile::new(options.folder, "CPU", "cpuprofile"),
            name: options.name,
        };
        profile.ask("Profiler.enable", None);
        let interval = json!({ "interval": options.interval });
        profile.ask("Profiler.setSamplingInterval", Some(interval));
        profile.ask("Profiler.start", None);
        profile
    }

    /// Ends the recording, and writes the file.
    pub(crate) fn write(mut self) {
        let answer = self.ask("Profiler.stop", None);
        let profile = answer.as_ref().and_then(|it| it.pointer("/result/profile"));
        let Some(profile) = profile else {
            log::warn!("Unable to write the CPU profile: the engine gave none");
            return;
        };
        let text = profile.to_string();
        let written =
            (self.file).write(self.name.as_deref(), |file| file.write_all(text.as_bytes()));
        match written {
            Ok(path) => log::info!("CPU profile written to {}", path.display()),
            Err(error) => log::warn!("Unable to write the CPU profile: {error}"),
        }
    }

    /// Calls a method of the inspector. The engine answers before this returns.
    fn ask(
        &mut self,
        method: &str,
        params: Option<serde_json::Value>,
    ) -> Option<serde_json::Value> {
        self.session.post_message(1, method, params);
        let answer = self.answer.borrow_mut().take()?;
        serde_json::from_str(&answer).ok()
    }
}
