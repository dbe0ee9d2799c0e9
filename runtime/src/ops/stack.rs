//! Keeps QuickJS from failing where a script has used up the stack.
//!
//! QuickJS throws when a call goes beyond its stack, whoever calls: Rust code
//! too. That which makes a report of an exception, and that which inspects
//! values for `console`, does not expect it and panics. V8 has reserves for this.

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

/// An address in the caller's frame or right below it. Stacks grow downwards
/// wherever QuickJS runs.
#[inline(always)]
fn stack_pointer() -> usize {
    let marker = 0_u8;
    std::hint::black_box(&raw const marker).addr()
}

/// Puts the ops of this file in place of the core's.
pub(crate) fn guard(op: OpDecl) -> OpDecl {
    match op.name {
        "op_destructure_error" => {
            const GUARDED: OpDecl = op_destructure_error();
            op.with_implementation_from(&GUARDED)
        }
        _ => op,
    }
}

/// The core's op of this name, which throws where the stack is about to end:
/// an outer listener, with more of it, reports that then. The dispatch of events
/// calls it, at any depth.
#[op2(reentrant)]
fn op_destructure_error<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    error: v8::Local<'s, v8::Value>,
) -> Result<JsError, JsErrorBox> {
    // The state is free again when the report is made, which looks up source maps.
    check(&JsRuntime::op_state_from(scope).borrow())?;
    Ok(*JsError::from_v8_exception(scope, error))
}

/// Throws where the stack is about to end.
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

/// What QuickJS has, counted from where it was started.
const STACK_LENGTH: usize = 1 << 20;
/// More than any report needs.
const RESERVE: usize = 1 << 18;
