//! An operation that the cloud has begun in; what it came to out.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::wire::Fault;
use super::{Cloud, Failure};
use crate::model::cloud::answer::Refusal;
use crate::model::cloud::endpoint::Service;
use crate::model::cloud::records::{ACTIVE, CREATING, Operation, Version};
use crate::model::cloud::retry;
use crate::model::finding::{self, Finding, Result, Rule};

/// How an operation ended.
pub enum Fate {
    Done(Box<Operation>),
    /// The cloud does not know it any more.
    Vanished,
}

/// Looks at a version that is not there before it is taken for lost.
const MISSING_LOOKS: u32 = 3;

impl Cloud<'_> {
    /// Waits until the operation is done. `rule` is what it is when it fails.
    pub(super) fn finish(&self, answer: Value, what: &str, rule: &'static Rule) -> Result<Fate> {
        let begun = Instant::now();
        let mut operation = read(answer, what)?;
        for look in 0.. {
            if let Some(status) = operation.error {
                let refusal = Refusal::of_status(status);
                let problem = refusal.finding(rule, what, &self.redactor());
                return Err(with_operation(problem, &operation.id));
            }
            if operation.done {
                return Ok(Fate::Done(Box::new(operation)));
            }
            self.rest(begun, look, what, &operation.id)?;
            let path = format!("/operations/{}", operation.id);
            operation = match self.try_get(Service::Operations, path, what) {
                Ok(answer) => read(answer, what)?,
                Err(Failure::Fault(Fault::Refused(refusal))) if refusal.is_missing() => {
                    return Ok(Fate::Vanished);
                }
                Err(failure) => return Err(with_operation(self.tell(failure, what), &operation.id)),
            };
        }
        Ok(Fate::Vanished)
    }

    /// Waits until the version is active.
    ///
    /// # Errors
    /// [`finding::VERSION_FAILED`], [`finding::VERSION_PENDING`], and what keeps the cloud from answering.
    pub fn settle(&self, id: &str) -> Result<Version> {
        let begun = Instant::now();
        let what = "see the version become active";
        for look in 0.. {
            match self.try_version(id) {
                Ok(version) if version.status == ACTIVE => return Ok(version),
                Ok(version) if version.status == CREATING => {}
                Ok(version) => {
                    return Err(finding::VERSION_FAILED
                        .finding(format!("the version `{id}` did not become active"))
                        .why(format!("its status is {}", version.status)));
                }
                Err(Failure::Fault(Fault::Refused(refusal))) if refusal.is_missing() => {
                    if look >= MISSING_LOOKS {
                        return Err(finding::VERSION_FAILED
                            .finding(format!("the version `{id}` did not become active"))
                            .why("the cloud does not know it"));
                    }
                }
                Err(failure) => return Err(self.tell(failure, what)),
            }
            self.rest(begun, look, what, id)?;
        }
        Err(pending(what, id, self.manner.wait))
    }

    /// Sleeps until the next look, or says that there is none.
    fn rest(&self, begun: Instant, look: u32, what: &str, id: &str) -> Result<()> {
        let waited = begun.elapsed();
        if waited >= self.manner.wait {
            return Err(pending(what, id, self.manner.wait));
        }
        self.progress(&format!("waiting to {what}: {} s", waited.as_secs()));
        sleep(retry::poll(look).min(self.manner.wait.saturating_sub(waited)).max(Duration::from_millis(10)));
        Ok(())
    }
}

fn pending(what: &str, id: &str, waited: Duration) -> Box<Finding> {
    finding::VERSION_PENDING
        .finding(format!("could not {what} within {} s", waited.as_secs()))
        .why(format!("`{id}` is neither done nor failed"))
        .fix("`fnscaffold versions` shows what came of it; --wait waits longer")
}

fn read(answer: Value, what: &str) -> Result<Operation> {
    let operation: Operation = serde_json::from_value(answer).unwrap_or_default();
    if operation.id.is_empty() {
        return Err(finding::CLOUD_UNREACHABLE
            .finding(format!("could not {what}"))
            .why("the answer is no operation of the API's")
            .fix("check --endpoint (YC_ENDPOINT)"));
    }
    Ok(operation)
}

fn with_operation(problem: Box<Finding>, id: &str) -> Box<Finding> {
    let why = problem.why.clone().unwrap_or_default();
    problem.why(format!("{why}\noperation: {id}"))
}
