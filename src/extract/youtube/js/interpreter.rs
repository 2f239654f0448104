//! One player script, loaded into an interpreter of its own; the only file that knows which interpreter that is.
//!
//! `QuickJS`: small, no just-in-time compiler, and limits for memory, stack and time that a script can't get around. A
//! script sees no host function, no module loader, no clock finer than a millisecond and no way out.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rquickjs::context::EvalOptions;
use rquickjs::{CatchResultExt, CaughtError, Context, Ctx, Function, Persistent, Runtime, Value};

use super::plan::{self, BUILDERS};
use super::{Fault, Limits};

/// See the file itself.
const ENVIRONMENT: &str = include_str!("environment.js");

/// Characters of a script's own error that are kept.
const MAX_MESSAGE: usize = 120;

/// A player that is ready to solve challenges. Stays on its thread.
pub(super) struct Interpreter {
    // Dropped in this order: the function belongs to the context, the context to the runtime.
    solve: Persistent<Function<'static>>,
    context: Context,
    watch: Watch,
    call: Duration,
}

/// The deadline of what runs now.
#[derive(Debug, Clone, Default)]
struct Watch {
    deadline: Rc<Cell<Option<Instant>>>,
    is_over: Rc<Cell<bool>>,
}

impl Watch {
    fn start(&self, time: Duration) {
        self.is_over.set(false);
        self.deadline.set(Instant::now().checked_add(time));
    }

    /// Whether the script must stop; asked by the interpreter every few thousand steps.
    fn check(&self) -> bool {
        let is_over = self
            .deadline
            .get()
            .is_none_or(|deadline| Instant::now() >= deadline);
        self.is_over.set(self.is_over.get() || is_over);
        is_over
    }
}

impl Interpreter {
    /// Prepares and runs a player script.
    ///
    /// # Errors
    /// [`Fault`] of the script.
    pub(super) fn load(script: &[u8], limits: &Limits) -> Result<Self, Fault> {
        let script = std::str::from_utf8(script).map_err(|_| Fault::Form("not UTF-8"))?;
        let script = plan::prepare(script)?;
        let watch = Watch::default();
        let context = context(limits, &watch).map_err(|_| Fault::Memory)?;
        watch.start(limits.load);
        let solve = context.with(|ctx| {
            run(&ctx, script)
                .catch(&ctx)
                .map_err(|error| fault(&error, &watch))
        })?;
        Ok(Self {
            solve,
            context,
            watch,
            call: limits.call,
        })
    }

    /// What the player makes of a challenge `n`.
    ///
    /// # Errors
    /// [`Fault`] of the script, which should not be used again.
    pub(super) fn n(&self, n: &str) -> Result<String, Fault> {
        self.ask((Some(n), None), 0)
    }

    /// What the player makes of a signature.
    ///
    /// # Errors
    /// As [`Interpreter::n`].
    pub(super) fn signature(&self, signature: &str) -> Result<String, Fault> {
        self.ask((None, Some(signature)), 1)
    }

    /// Calls the player, and takes the answer at `place`.
    fn ask(&self, question: (Option<&str>, Option<&str>), place: usize) -> Result<String, Fault> {
        self.watch.start(self.call);
        self.context.with(|ctx| {
            let answer: Value<'_> = self
                .solve
                .clone()
                .restore(&ctx)
                .and_then(|solve| solve.call(question))
                .catch(&ctx)
                .map_err(|error| fault(&error, &self.watch))?;
            let answer = answer
                .as_array()
                .and_then(|answer| answer.get::<String>(place).ok());
            answer.ok_or(Fault::Answer)
        })
    }
}

fn context(limits: &Limits, watch: &Watch) -> rquickjs::Result<Context> {
    let runtime = Runtime::new()?;
    runtime.set_memory_limit(limits.heap);
    runtime.set_max_stack_size(limits.stack);
    let watch = watch.clone();
    watch.start(limits.load);
    runtime.set_interrupt_handler(Some(Box::new(move || watch.check())));
    Context::full(&runtime)
}

/// Runs the environment, then the script, and gives the function that solves.
fn run<'js>(ctx: &Ctx<'js>, script: String) -> rquickjs::Result<Persistent<Function<'static>>> {
    let attach: Function<'js> = ctx.eval(ENVIRONMENT)?;
    let mut options = EvalOptions::default();
    options.strict = false;
    ctx.eval_with_options::<(), _>(script, options)?;
    let builders: Value<'js> = ctx.globals().get(BUILDERS)?;
    let solve: Function<'js> = attach.call((builders,))?;
    Ok(Persistent::save(ctx, solve))
}

/// Tells why a script stopped. What it threw is the script's own choice, the clock is not.
fn fault(error: &CaughtError<'_>, watch: &Watch) -> Fault {
    if watch.is_over.get() {
        return Fault::Deadline;
    }
    let message = match error {
        CaughtError::Exception(exception) => exception.message().unwrap_or_default(),
        CaughtError::Value(_) => "a value".to_owned(),
        CaughtError::Error(error) => error.to_string(),
    };
    if message == "out of memory" {
        return Fault::Memory;
    }
    Fault::Threw(printable(&message))
}

fn printable(message: &str) -> Box<str> {
    let shown = message.chars().take(MAX_MESSAGE);
    shown
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>()
        .into()
}
