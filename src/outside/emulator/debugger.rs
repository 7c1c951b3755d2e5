//! A port in, what an interpreter needs to let a debugger in out.

use std::path::PathBuf;

use super::interpreter::{Interpreter, said};
use crate::model::finding::{self, Result};
use crate::model::runtime::Lang;

/// How a debugger reaches the function. Always on this machine: whoever reaches it runs any code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Debugger {
    /// Node.js's own inspector.
    Inspector(u16),
    /// The package debugpy and the directory that holds it.
    Debugpy { port: u16, directory: PathBuf },
}

impl Debugger {
    /// # Errors
    /// [`finding::INTERPRETER_MISSING`] when the interpreter has no debugpy.
    pub fn of(interpreter: &Interpreter, port: u16) -> Result<Self> {
        if interpreter.lang == Lang::Nodejs {
            return Ok(Self::Inspector(port));
        }
        let code = "import debugpy, os; print(os.path.dirname(os.path.dirname(debugpy.__file__)))";
        let directory = said(&interpreter.path, &["-c", code]).map_err(|why| {
            finding::INTERPRETER_MISSING
                .finding(format!("`{}` cannot import debugpy", interpreter.path.display()))
                .why(why)
                .fix(format!("`{} -m pip install debugpy`", interpreter.path.display()))
        })?;
        Ok(Self::Debugpy { port, directory: PathBuf::from(directory) })
    }
}
