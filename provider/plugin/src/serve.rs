//! The life of the process: from the command line to the end of the last connection.

use crate::guard::Guard;
use crate::handshake::Environment;
use crate::listen::Listener;
use crate::services::HostServices;
use crate::{About, cli, guard, handshake, logs, tls};
use proto::tfplugin6::provider_server::{Provider, ProviderServer};
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Largest message either way, in bytes: what hosts allow. A plan of a state of 200 MB is a request of three times that,
/// more than Go providers take (256 MiB); tonic's own limit is 4 MiB.
const LARGEST_MESSAGE: usize = i32::MAX as usize;

/// How long calls that still run may hold up the end of the process once the host has asked for it. The host kills
/// after two seconds and warns of it; when it asks, it has given up on those calls already.
const LAST_MOMENTS: Duration = Duration::from_millis(250);

/// How long a client may take to connect after it closed our stdout.
const WITHOUT_HOST: Duration = Duration::from_millis(500);

/// What a provider learns of the process it runs in.
#[derive(Clone, Debug)]
pub struct Host {
    /// Cancelled when the process is about to end. (`StopProvider` is another thing: a call of the provider's.)
    pub closing: CancellationToken,
    /// The process was started with `-debug`: it outlives the runs of its hosts and serves every one of them, also all
    /// aliases at once, so a `StopProvider` may not be taken for the end.
    pub debug: bool,
}

/// Everything a provider's `main` has to do: answers a human who starts the binary by hand, else shakes hands with the
/// host, serves `provider` until the host is done, and says how it ended.
///
/// `provider` is called once, inside the runtime, after the host has been told where to connect: what it does delays
/// the first call, but not the handshake. A panic in any call becomes an error diagnostic of that call.
pub fn run<P: Provider>(about: About, provider: impl FnOnce(Host) -> P) -> ExitCode {
    let binary = std::env::current_exe().unwrap_or_default();
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let environment = Environment::read(variable);
    let debug = match cli::command(std::env::args_os().skip(1)) {
        cli::Command::Help => return print(&cli::help(&about, &binary)),
        cli::Command::Version => return print(&cli::version(&about)),
        cli::Command::Serve if !environment.cookie => {
            let _ = io::stderr().write_all(cli::not_a_host(&about, &binary).as_bytes());
            return ExitCode::FAILURE;
        }
        cli::Command::Serve => false,
        cli::Command::Debug => true,
    };
    logs::install(about.name, logs::level(about.name, variable), about.crates);
    guard::install_panic_hook(about);
    match serve(about, &environment, debug, provider) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "terraform-provider-{}: {error}", about.name);
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) -> ExitCode {
    match write_to_stdout(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The only use of stdout while serving: anything else before the handshake line would break it.
fn write_to_stdout(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

type Failure = Box<dyn std::error::Error>;

fn serve<P: Provider>(
    about: About,
    environment: &Environment,
    debug: bool,
    provider: impl FnOnce(Host) -> P,
) -> Result<(), Failure> {
    // The work is waiting for others; a few threads carry it, and starting them is part of every plan's time.
    let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 4));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(serve_in_runtime(about, environment, debug, provider));
    // Not waiting for blocking work that still runs: the host has been answered.
    runtime.shutdown_background();
    outcome
}

async fn serve_in_runtime<P: Provider>(
    about: About,
    environment: &Environment,
    debug: bool,
    provider: impl FnOnce(Host) -> P,
) -> Result<(), Failure> {
    let closing = CancellationToken::new();
    interrupts(debug, &closing)?;
    // In debug mode whoever attaches has no certificate, whatever the environment says.
    let tls = match &environment.client_certificate {
        Some(certificate) if !debug => Some(tls::server(certificate)?),
        _ => None,
    };
    let listener = Listener::bind(environment).await?;
    write_to_stdout(&if debug {
        cli::reattach(&about, listener.network, &listener.address)
    } else {
        let certificate = tls.as_ref().map(|tls| tls.certificate.as_ref());
        handshake::line(
            listener.network,
            &listener.address,
            certificate,
            environment.multiplexing,
        )
    })?;

    // From here on the host connects while we build.
    let provider = Guard::new(
        about,
        provider(Host {
            closing: closing.clone(),
            debug,
        }),
    );
    let provider = ProviderServer::new(provider)
        .max_decoding_message_size(LARGEST_MESSAGE)
        .max_encoding_message_size(LARGEST_MESSAGE);
    let services = HostServices::new(closing.clone());
    let (health, health_service) = tonic_health::server::health_reporter();
    health
        .set_service_status("plugin", tonic_health::ServingStatus::Serving)
        .await;

    let open = TaskTracker::new();
    if !debug {
        tokio::spawn(close_without_host(open.clone(), closing.clone()));
    }
    let (connections, incoming) = tokio::sync::mpsc::unbounded_channel();
    let accept = listener.serve(tls.map(|tls| TlsAcceptor::from(tls.config)), open, connections);
    let server = tonic::transport::Server::builder()
        .add_service(provider)
        .add_service(services.controller())
        .add_service(services.stdio())
        .add_service(services.broker())
        .add_service(health_service)
        .serve_with_incoming_shutdown(
            UnboundedReceiverStream::new(incoming),
            closing.clone().cancelled_owned(),
        );
    let last_moments = async {
        closing.cancelled().await;
        #[expect(
            clippy::disallowed_methods,
            reason = "bounds the real end of the process, not a wait for something"
        )]
        tokio::time::sleep(LAST_MOMENTS).await;
    };
    tokio::select! {
        outcome = server => outcome?,
        () = accept => {}
        () = last_moments => {}
    }
    Ok(())
}

/// Ctrl-C reaches every process of the terminal's foreground group, but it is for the host to drive the stop: here it
/// does nothing. In debug mode there is no such host, so it ends the process.
fn interrupts(debug: bool, closing: &CancellationToken) -> io::Result<()> {
    // Registering replaces the default for as long as the process lives; it must be done before the handshake line.
    // (Unlike an ignored signal this is not inherited by programs that we start.)
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        if debug {
            let (mut terminate, closing) = (signal(SignalKind::terminate())?, closing.clone());
            tokio::spawn(async move {
                tokio::select! { _ = interrupt.recv() => {} _ = terminate.recv() => {} }
                closing.cancel();
            });
        }
    }
    #[cfg(windows)]
    {
        let (mut interrupt, closing) = (tokio::signal::windows::ctrl_c()?, closing.clone());
        tokio::spawn(async move {
            while interrupt.recv().await.is_some() {
                if debug {
                    closing.cancel();
                }
            }
        });
    }
    Ok(())
}

/// Ends the process once the host is gone without a word (killed): its end of our stdout is closed, and so is every
/// connection. Go plugins stay behind until they write their next log line.
async fn close_without_host(open: TaskTracker, closing: CancellationToken) {
    stdout_closed().await;
    #[expect(
        clippy::disallowed_methods,
        reason = "real time, for a connection that is just being made"
    )]
    tokio::time::sleep(WITHOUT_HOST).await;
    open.close();
    open.wait().await;
    closing.cancel();
}

/// Ends when nobody holds the other end of stdout any more; never where that cannot be known.
async fn stdout_closed() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use std::os::fd::AsFd;
        let pipe = io::stdout()
            .as_fd()
            .try_clone_to_owned()
            .and_then(tokio::net::unix::pipe::Sender::from_owned_fd);
        if let Ok(pipe) = pipe
            && pipe.ready(tokio::io::Interest::ERROR).await.is_ok()
        {
            return;
        }
    }
    std::future::pending().await
}
