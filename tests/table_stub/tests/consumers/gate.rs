//! Where the calls of several invocations wait, and what may become of each.

use slipstream_table_stub::gate::{self, Answer, Call};

use crate::services::{Services, unavailable};

/// How many invocations there are at once, at most.
pub const LINES: usize = 3;
/// The line of whoever does not wait: its calls go through at once.
pub const OPEN: usize = LINES;

/// Where calls wait, each on the line of its invocation.
pub type Gate = gate::Gate<Services, LINES>;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is carried out and answered.
    Answered,
    /// It is carried out; the answer is lost.
    AnswerLost,
    /// It is not carried out.
    Refused,
}

impl gate::Reachable for Services {
    fn carry_out(&mut self, _line: usize, target: &str, body: &[u8]) -> Answer {
        self.call(target, body)
    }
}

/// Whether the call on a line leads to something. To die before a read is to die before what comes next: nobody sees a
/// read.
pub fn writes(gate: &Gate, line: usize) -> bool {
    let reads = |call: &Call| [".GetItem", ".BatchGetItem", ".Query"].iter().any(|read| call.target.ends_with(read));
    gate.inside().waiting[line].as_ref().is_some_and(|call| !reads(call))
}

/// Lets the call on a line meet its fate.
pub fn let_through(gate: &Gate, line: usize, fate: Fate) {
    let mut inside = gate.inside();
    let Some(call) = inside.waiting[line].take() else { return };
    let mut answer = unavailable();
    if fate != Fate::Refused {
        let carried_out = inside.reachable.call(&call.target, &call.body);
        if fate == Fate::Answered {
            answer = carried_out;
        }
    }
    call.answer(answer);
}
