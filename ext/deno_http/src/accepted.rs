//! Connections that a script has accepted, for `Deno.serveHttp`.

use deno_core::{OpState, ResourceId};
use deno_net::io::{TcpStreamResource, UnixStreamResource, VsockStreamResource};
use deno_net::ops_tls::TlsStreamResource;
use deno_net::raw::NetworkStream;
use deno_net::tunnel::TunnelStreamResource;

/// Makes `stream` a resource again, as deno_net has it: `Deno.serveHttp` takes it from there.
/// The stream knows its address, and whether it is one of TLS.
pub fn http_create_conn_resource<S: Into<NetworkStream>, A>(
    state: &mut OpState,
    stream: S,
    _address: A,
    _scheme: &'static str,
) -> ResourceId {
    let table = &mut state.resource_table;
    match stream.into() {
        NetworkStream::Tcp(stream) => table.add(TcpStreamResource::new(stream.into_split())),
        NetworkStream::Tls(stream) => table.add(TlsStreamResource::new_tcp(stream.into_split())),
        NetworkStream::Unix(stream) => table.add(UnixStreamResource::new(stream.into_split())),
        NetworkStream::Vsock(stream) => table.add(VsockStreamResource::new(stream.into_split())),
        NetworkStream::Tunnel(stream) => table.add(TunnelStreamResource::new(stream)),
    }
}
