//! The way between fnscaffold and a bootstrap: a socket in a directory that only this user can enter,
//! or where there are none, a port of this machine and a secret.

/// The variable that tells a bootstrap where to go.
pub const CONTROL: &str = "FNSCAFFOLD_CONTROL";

#[cfg(not(unix))]
pub use tcp::{Listener, Reader, Writer};
#[cfg(unix)]
pub use unix::{Listener, Reader, Writer};

#[cfg(unix)]
mod unix {
    use std::io;
    use std::path::{Path, PathBuf};

    use tokio::io::AsyncReadExt;
    use tokio::net::UnixListener;
    use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
    use tokio::process::Command;

    pub type Reader = OwnedReadHalf;
    pub type Writer = OwnedWriteHalf;

    pub struct Listener {
        listener: UnixListener,
        path: PathBuf,
    }

    impl Listener {
        /// # Errors
        /// What the operating system says.
        pub fn bind(path: &Path) -> io::Result<Self> {
            Ok(Self { listener: UnixListener::bind(path)?, path: path.to_owned() })
        }

        /// What the bootstrap is told.
        pub fn tell(&self, command: &mut Command) {
            command.env(super::CONTROL, &self.path);
        }

        /// # Errors
        /// What the operating system says.
        pub async fn accept(&self) -> io::Result<(Reader, Writer)> {
            Ok(self.listener.accept().await?.0.into_split())
        }

        /// All that one says who comes only to say it.
        ///
        /// # Errors
        /// What the operating system says.
        pub async fn hear(&self) -> io::Result<String> {
            let mut word = String::new();
            self.listener.accept().await?.0.read_to_string(&mut word).await?;
            Ok(word)
        }
    }

    impl Drop for Listener {
        fn drop(&mut self) {
            // Nobody else may come, and a next instance has the same place.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(not(unix))]
mod tcp {
    use std::hash::{BuildHasher, RandomState};
    use std::io;
    use std::net::Ipv4Addr;
    use std::path::Path;

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;
    use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
    use tokio::process::Command;

    pub type Reader = OwnedReadHalf;
    pub type Writer = OwnedWriteHalf;

    pub struct Listener {
        listener: TcpListener,
        port: u16,
        secret: String,
    }

    impl Listener {
        /// # Errors
        /// What the operating system says.
        pub fn bind(_: &Path) -> io::Result<Self> {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            listener.set_nonblocking(true)?;
            let port = listener.local_addr()?.port();
            let random = || RandomState::new().hash_one(port);
            let secret = format!("{:016x}{:016x}", random(), random());
            Ok(Self { listener: TcpListener::from_std(listener)?, port, secret })
        }

        /// What the bootstrap is told.
        pub fn tell(&self, command: &mut Command) {
            command.env(super::CONTROL, self.port.to_string()).env("FNSCAFFOLD_SECRET", &self.secret);
        }

        /// All that one says who comes only to say it.
        ///
        /// # Errors
        /// What the operating system says.
        pub async fn hear(&self) -> io::Result<String> {
            let mut word = String::new();
            self.accept().await?.0.read_to_string(&mut word).await?;
            Ok(word)
        }

        /// # Errors
        /// What the operating system says.
        pub async fn accept(&self) -> io::Result<(Reader, Writer)> {
            loop {
                let (mut stream, _) = self.listener.accept().await?;
                let mut said = vec![0; self.secret.len() + 1];
                if stream.read_exact(&mut said).await.is_ok()
                    && said == format!("{}\n", self.secret).as_bytes()
                {
                    return Ok(stream.into_split());
                }
            }
        }
    }
}
