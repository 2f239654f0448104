//! The process group of a child: what the child has started ends with it.

use rustix::process::{Pid, Signal, kill_process_group};

/// A process group; killed when dropped.
#[derive(Debug)]
pub(super) struct Group(pub(super) Option<u32>);

impl Group {
    /// Asks all of it to end.
    pub(super) fn ask(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends all of it.
    pub(super) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.0 = None;
    }

    fn signal(&self, signal: Signal) {
        let leader = self.0.and_then(|pid| i32::try_from(pid).ok());
        if let Some(leader) = leader.and_then(Pid::from_raw) {
            // It fails when nobody is left in the group, which is what is wanted.
            let _ = kill_process_group(leader, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
