//! Many callers at once, and what they and the authorization server saw of it.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::authorization_server::AuthorizationServer;
use crate::grants::Kind;
use crate::scene::Scene;

pub(crate) const CALLERS: usize = 100;
const LIMIT: Duration = Duration::from_secs(30);

/// What was measured.
#[derive(Debug)]
pub(crate) struct Crowd {
    token_requests: usize,
    answers: usize,
    distinct: usize,
    alive: bool,
    reuses: usize,
    took: Duration,
}

/// Starts them all, waits for all, and fails if they saw anything else than they should.
pub(crate) fn gather(scene: &Scene, server: &AuthorizationServer) -> Result<Crowd> {
    let (before, began) = (server.seen(), Instant::now());
    let start = |_| scene.start("hallpass get", scene.hallpass(&["get"]));
    let callers = (0..CALLERS).map(start).collect::<Result<Vec<_>>>()?;
    let callers = callers.into_iter().map(|caller| caller.end(LIMIT)).collect::<Result<Vec<_>>>()?;
    let (took, after) = (began.elapsed(), server.seen());

    let answers: Vec<&str> = callers.iter().filter(|done| done.is_well()).map(|done| done.out.trim_end()).collect();
    let distinct: BTreeSet<&str> = answers.iter().copied().collect();
    let crowd = Crowd {
        token_requests: after.token_requests - before.token_requests,
        answers: answers.len(),
        distinct: distinct.len(),
        alive: after.alive && distinct.iter().all(|token| server.knows(token, Kind::Access)),
        reuses: after.reuses - before.reuses,
        took,
    };
    let as_promised =
        matches!(crowd, Crowd { token_requests: 1, answers: CALLERS, distinct: 1, alive: true, reuses: 0, .. });
    if !as_promised {
        let words = callers.iter().find(|done| !done.is_well()).map(|done| done.err.trim_end()).unwrap_or_default();
        bail!("the crowd saw {crowd}, and {} refresh tokens used twice; {words}", crowd.reuses);
    }
    Ok(crowd)
}

impl fmt::Display for Crowd {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |count| if count == 1 { "" } else { "s" };
        write!(
            to,
            "{} token request{}, {} answers, {} distinct token{}, session {} ({:.1} s)",
            self.token_requests,
            s(self.token_requests),
            self.answers,
            self.distinct,
            s(self.distinct),
            if self.alive { "alive" } else { "dead" },
            self.took.as_secs_f32()
        )
    }
}
