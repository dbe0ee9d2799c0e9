//! Files about an engine that help to find defects without a debugger.

#[cfg(feature = "v8")]
use std::{cell::RefCell, rc::Rc, task::Context};

#[cfg(feature = "v8")]
use deno_core::JsRuntime;
#[cfg(feature = "v8")]
use deno_core::v8;

#[cfg(feature = "v8")]
use crate::cpu_profile::CpuProfile;
use crate::cpu_profile_options::CpuProfileOptions;
#[cfg(feature = "v8")]
use crate::heap_snapshots::HeapSnapshots;

/// Which files an engine writes about itself. QuickJS writes none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Debugging {
    /// A profile of where the program spends its time, written when the program ends.
    pub cpu_profile: Option<CpuProfileOptions>,
    /// The number of the signal that makes the engine write a snapshot of its heap to the current
    /// folder.
    pub heap_snapshot_signal: Option<i32>,
}

/// The files that one engine will write.
#[cfg(feature = "v8")]
#[derive(Clone, Default)]
pub(crate) struct Records {
    profile: Rc<RefCell<Option<CpuProfile>>>,
    snapshots: Rc<RefCell<Option<HeapSnapshots>>>,
}

#[cfg(feature = "v8")]
impl Records {
    /// Begins to record. The engine's inspector must be on if a profile is asked for.
    ///
    /// # Errors
    /// If a process cannot handle the signal.
    pub(crate) fn start(runtime: &JsRuntime, debugging: Debugging) -> std::io::Result<Self> {
        let profile = debugging.cpu_profile;
        let profile = profile.map(|options| CpuProfile::start(runtime, options));
        let snapshots = debugging.heap_snapshot_signal.map(HeapSnapshots::on);
        Ok(Self {
            profile: Rc::new(RefCell::new(profile)),
            snapshots: Rc::new(RefCell::new(snapshots.transpose()?)),
        })
    }

    /// Writes the profile, because the engine ends. A second call writes nothing.
    pub(crate) fn finish(&self) {
        let profile = self.profile.borrow_mut().take();
        if let Some(profile) = profile {
            profile.write();
        }
    }

    /// Writes a heap snapshot if the signal has come.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, isolate: &mut v8::Isolate) {
        if let Some(snapshots) = &mut *self.snapshots.borrow_mut() {
            snapshots.poll(cx, isolate);
        }
    }
}
