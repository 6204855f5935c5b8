//! The services a go-plugin host expects beside the provider itself.

use futures::StreamExt;
use futures::stream::BoxStream;
use proto::plugin::grpc_broker_server::{GrpcBroker, GrpcBrokerServer};
use proto::plugin::grpc_controller_server::{GrpcController, GrpcControllerServer};
use proto::plugin::grpc_stdio_server::{GrpcStdio, GrpcStdioServer};
use proto::plugin::{ConnInfo, Empty, StdioData};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// Controller, stdio and broker in one: all they know is whether the process is about to end.
#[derive(Clone)]
pub(crate) struct HostServices {
    closing: CancellationToken,
}

impl HostServices {
    /// `closing` is cancelled when the host asks the process to end, and ends the open streams.
    pub(crate) fn new(closing: CancellationToken) -> Self {
        Self { closing }
    }

    pub(crate) fn controller(&self) -> GrpcControllerServer<Self> {
        GrpcControllerServer::new(self.clone())
    }

    pub(crate) fn stdio(&self) -> GrpcStdioServer<Self> {
        GrpcStdioServer::new(self.clone())
    }

    pub(crate) fn broker(&self) -> GrpcBrokerServer<Self> {
        GrpcBrokerServer::new(self.clone())
    }
}

#[tonic::async_trait]
impl GrpcController for HostServices {
    /// Without this call each of the three or more starts of a plan would cost the host two seconds of waiting.
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.closing.cancel();
        Ok(Response::new(Empty {}))
    }
}

#[tonic::async_trait]
impl GrpcStdio for HostServices {
    type StreamStdioStream = BoxStream<'static, Result<StdioData, Status>>;

    /// Open and silent: nothing is written to stdout, and logs go to the real stderr.
    async fn stream_stdio(&self, _: Request<()>) -> Result<Response<Self::StreamStdioStream>, Status> {
        let silence = futures::stream::pending().take_until(self.closing.clone().cancelled_owned());
        Ok(Response::new(silence.boxed()))
    }
}

#[tonic::async_trait]
impl GrpcBroker for HostServices {
    type StartStreamStream = BoxStream<'static, Result<ConnInfo, Status>>;

    /// Idle: providers open no side channels. Ends when the host ends its half.
    async fn start_stream(
        &self,
        request: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<Self::StartStreamStream>, Status> {
        let (closing, mut offers) = (self.closing.clone(), request.into_inner());
        let end = async move {
            let host_ends = async { while let Ok(Some(_)) = offers.message().await {} };
            let _ = closing.run_until_cancelled(host_ends).await;
        };
        Ok(Response::new(futures::stream::pending().take_until(end).boxed()))
    }
}
