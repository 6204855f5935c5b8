//! Where the host connects: a unix socket, or on Windows a TCP port of the loopback interface.

use crate::handshake::Environment;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// A listening socket. A unix socket's file is removed when this is dropped.
pub(crate) struct Listener {
    socket: Socket,
    /// `unix` or `tcp`, as the handshake line says it.
    pub network: &'static str,
    /// Path of the socket, or `address:port`.
    pub address: String,
    _file: RemovedOnDrop,
}

enum Socket {
    #[cfg(unix)]
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// A file that goes when we go. Hosts do not remove it.
#[derive(Debug)]
pub(crate) struct RemovedOnDrop(pub Option<PathBuf>);

impl Drop for RemovedOnDrop {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            // Nothing could be done about a failure, and nobody is left to tell.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Listener {
    /// Binds and listens, so that the host can connect as soon as it reads the address. Only the user that runs us
    /// may connect.
    pub(crate) async fn bind(environment: &Environment) -> io::Result<Self> {
        #[cfg(unix)]
        return Self::unix(
            environment
                .socket_directory
                .as_deref()
                .map_or_else(std::env::temp_dir, PathBuf::from),
        );
        #[cfg(not(unix))]
        return Self::tcp(environment.ports).await;
    }

    #[cfg(unix)]
    fn unix(directory: PathBuf) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        // A killed process leaves its file, and process ids come again.
        for attempt in 0..1000 {
            let path = directory.join(format!("plugin{}-{attempt}", std::process::id()));
            let socket = match UnixListener::bind(&path) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => continue,
                Err(error) => {
                    return Err(io::Error::new(
                        error.kind(),
                        format!("socket {}: {error}", path.display()),
                    ));
                }
                Ok(socket) => socket,
            };
            let file = RemovedOnDrop(Some(path.clone()));
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700))?;
            let address = path
                .to_str()
                .ok_or_else(|| io::Error::other("the socket's path is not UTF-8"))?
                .to_owned();
            return Ok(Self {
                socket: Socket::Unix(socket),
                network: "unix",
                address,
                _file: file,
            });
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("no free socket name in {}", directory.display()),
        ))
    }

    /// The first free port of the range, on the loopback interface.
    #[cfg_attr(
        unix,
        allow(
            dead_code,
            reason = "unix systems have sockets; the tests bind it all the same"
        )
    )]
    async fn tcp((first, last): (u16, u16)) -> io::Result<Self> {
        for port in first..=last {
            if let Ok(socket) = TcpListener::bind(("127.0.0.1", port)).await {
                let address = socket.local_addr()?.to_string();
                return Ok(Self {
                    socket: Socket::Tcp(socket),
                    network: "tcp",
                    address,
                    _file: RemovedOnDrop(None),
                });
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("no free port from {first} to {last}"),
        ))
    }

    async fn accept(&self) -> io::Result<Box<dyn Duplex>> {
        Ok(match &self.socket {
            #[cfg(unix)]
            Socket::Unix(socket) => Box::new(socket.accept().await?.0),
            Socket::Tcp(socket) => Box::new(socket.accept().await?.0),
        })
    }

    /// Accepts for ever and hands out connections that are past the TLS handshake, where there is one. A client that
    /// fails it, or takes its time, holds up nobody. Every connection holds a token of `open` for as long as it lives.
    pub(crate) async fn serve(
        &self,
        tls: Option<TlsAcceptor>,
        open: TaskTracker,
        connections: tokio::sync::mpsc::UnboundedSender<io::Result<Connection>>,
    ) {
        loop {
            let stream = patiently(|| self.accept()).await;
            let (tls, connections, token) = (tls.clone(), connections.clone(), open.token());
            tokio::spawn(async move {
                let stream = match tls {
                    None => stream,
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => Box::new(stream),
                        Err(error) => {
                            tracing::warn!(%error, "a client was refused");
                            return;
                        }
                    },
                };
                // Fails only when the server is gone, and then the connection may go too.
                let _ = connections.send(Ok(Connection { stream, _open: token }));
            });
        }
    }
}

/// Accepts until it succeeds. What fails once fails again at once (no file descriptor is free), so each failure is followed
/// by a longer pause: from 5 ms to a second.
async fn patiently<T, F: Future<Output = io::Result<T>>>(accept: impl Fn() -> F) -> T {
    let mut pause = std::time::Duration::from_millis(5);
    loop {
        match accept().await {
            Ok(stream) => return stream,
            Err(error) => tracing::warn!(%error, "a connection could not be accepted"),
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "real time, since the system's resources are waited for"
        )]
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(std::time::Duration::from_secs(1));
    }
}

/// A byte stream in both directions.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Duplex for T {}

/// An accepted and, with TLS, authenticated connection.
pub(crate) struct Connection {
    stream: Box<dyn Duplex>,
    _open: TaskTrackerToken,
}

impl tonic::transport::server::Connected for Connection {
    type ConnectInfo = ();
    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[tokio::test]
    async fn the_socket_is_private_unique_and_gone_afterwards() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let environment = Environment {
            socket_directory: Some(directory.path().to_str().unwrap().to_owned()),
            ..Default::default()
        };
        let one = Listener::bind(&environment).await.unwrap();
        let two = Listener::bind(&environment).await.unwrap();
        assert_eq!(one.network, "unix");
        assert_ne!(one.address, two.address);
        assert_eq!(
            std::fs::metadata(&one.address).unwrap().permissions().mode() & 0o777,
            0o700
        );
        drop((one, two));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_directory_that_is_not_there_is_named_in_the_error() {
        let error = Listener::unix("/nowhere/at/all".into())
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("/nowhere/at/all/plugin"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn where_no_connection_can_be_accepted_the_listener_pauses() {
        let tries = std::cell::Cell::new(0);
        let none_free = || {
            tries.set(tries.get() + 1);
            async { Err::<(), _>(io::Error::other("Too many open files")) }
        };
        let a_minute = tokio::time::timeout(std::time::Duration::from_secs(60), patiently(none_free));
        assert!(a_minute.await.is_err());
        assert!(
            (60..80).contains(&tries.get()),
            "{} tries in a minute",
            tries.get()
        );
    }

    #[tokio::test]
    async fn tcp_takes_a_free_port_of_the_range_on_loopback() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = free.local_addr().unwrap().port();
        assert!(
            Listener::tcp((taken, taken)).await.is_err(),
            "a taken port was bound again"
        );
        drop(free);
        let listener = Listener::tcp((taken, taken)).await.unwrap();
        assert_eq!(
            (listener.network, listener.address),
            ("tcp", format!("127.0.0.1:{taken}"))
        );
    }
}
