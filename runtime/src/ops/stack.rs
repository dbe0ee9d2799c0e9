//! Keeps QuickJS from failing when a script has used up the stack.
//!
//! QuickJS throws if a call goes beyond its stack, also if Rust code makes the call. The code that
//! makes a report of an exception, and the code that inspects values for `console`, do not expect
//! this and panic. V8 has reserves for this case.

use deno_core::JsRuntime;
use deno_core::OpDecl;
use deno_core::OpState;
use deno_core::error::JsError;
use deno_core::op2;
use deno_core::v8;
use deno_error::JsErrorBox;

/// Where the stack of the thread was when the engine started.
pub(crate) struct StackBase(usize);

impl StackBase {
    #[inline(never)]
    pub(crate) fn here() -> Self {
        Self(stack_pointer())
    }

    fn used(&self) -> usize {
        self.0.saturating_sub(stack_pointer())
    }
}

/// An address in the caller's frame or right below it. Stacks grow downwards on all systems that
/// QuickJS runs on.
#[inline(always)]
fn stack_pointer() -> usize {
    let marker = 0_u8;
    std::hint::black_box(&raw const marker).addr()
}

/// Puts the ops of this file in place of the ops of deno_core.
pub(crate) fn guard(op: OpDecl) -> OpDecl {
    match op.name {
        "op_destructure_error" => {
            const GUARDED: OpDecl = op_destructure_error();
            op.with_implementation_from(&GUARDED)
        }
        _ => op,
    }
}

/// Replaces the op of deno_core with this name. It throws if the stack is nearly used up, and then
/// an outer listener, which has more stack, reports the error. The dispatch of events calls this op
/// at any depth.
#[op2(reentrant)]
fn op_destructure_error<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    error: v8::Local<'s, v8::Value>,
) -> Result<JsError, JsErrorBox> {
    // The borrow of the state ends here, because the report looks up source maps, which borrows the
    // state.
    check(&JsRuntime::op_state_from(scope).borrow())?;
    Ok(*JsError::from_v8_exception(scope, error))
}

/// Throws if the stack is nearly used up.
#[op2(fast)]
pub(crate) fn op_runtime_reserve_stack(state: &OpState) -> Result<(), JsErrorBox> {
    check(state)
}

fn check(state: &OpState) -> Result<(), JsErrorBox> {
    let used = state.try_borrow::<StackBase>().map_or(0, StackBase::used);
    if used > STACK_LENGTH - RESERVE {
        return Err(JsErrorBox::range_error("Maximum call stack size exceeded"));
    }
    Ok(())
}

/// The size of QuickJS's stack, counted from the place where the engine was started.
const STACK_LENGTH: usize = 1 << 20;
/// More bytes than any report needs.
const RESERVE: usize = 1 << 18;
