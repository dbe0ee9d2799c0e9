//! What an engine writes for whoever looks into it, without a debugger.

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

/// What an engine writes. V8 only: QuickJS writes nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Debugging {
    /// A profile of where the program spends its time, written when the program ends.
    pub cpu_profile: Option<CpuProfileOptions>,
    /// The number of the signal at which a snapshot of the heap is written, to the current
    /// folder.
    pub heap_snapshot_signal: Option<i32>,
}

/// What one engine is about to write.
#[cfg(feature = "v8")]
#[derive(Clone, Default)]
pub(crate) struct Records {
    profile: Rc<RefCell<Option<CpuProfile>>>,
    snapshots: Rc<RefCell<Option<HeapSnapshots>>>,
}

#[cfg(feature = "v8")]
impl Records {
    /// Begins. The engine has its inspector on, if there is to be a profile.
    ///
    /// # Errors
    /// No process may wait for the signal.
    pub(crate) fn start(runtime: &JsRuntime, debugging: Debugging) -> std::io::Result<Self> {
        let profile = debugging.cpu_profile;
        let profile = profile.map(|options| CpuProfile::start(runtime, options));
        let snapshots = debugging.heap_snapshot_signal.map(HeapSnapshots::on);
        Ok(Self {
            profile: Rc::new(RefCell::new(profile)),
            snapshots: Rc::new(RefCell::new(snapshots.transpose()?)),
        })
    }

    /// The engine ends: the profile is written, once.
    pub(crate) fn finish(&self) {
        let profile = self.profile.borrow_mut().take();
        if let Some(profile) = profile {
            profile.write();
        }
    }

    /// Writes what a signal has asked for.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, isolate: &mut v8::Isolate) {
        if let Some(snapshots) = &mut *self.snapshots.borrow_mut() {
            snapshots.poll(cx, isolate);
        }
    }
}
