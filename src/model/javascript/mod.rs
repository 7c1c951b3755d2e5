use crate::model::{finding::Finding, runtime::Runtime, sources::Sources};
pub fn judge_entrypoint(_: &dyn Sources, _: &Runtime, _: &str) -> Vec<Box<Finding>> {
    vec![]
}
pub fn judge_dependencies(_: &dyn Sources, _: &Runtime, _: &str) -> Vec<Box<Finding>> {
    vec![]
}
pub fn handlers(_: &dyn Sources) -> Vec<String> {
    vec![]
}
