// What programs for duplex have beyond the web's API, for TypeScript 5.7 or newer.
//
//     duplex types > duplex.d.ts
//
// and in tsconfig.json, or in the deno.json that an editor reads:
//
//     "compilerOptions": { "lib": ["dom", "esnext"], "types": ["./duplex.d.ts"] }
//
// lib.dom has the web's part, and its `WebSocket` gets here what duplex adds. One
// thing cannot be added to it from outside: a constructor that takes options. A
// module that dials with them declares it, at no cost when it runs:
//
//     declare const WebSocket: Deno.WebSocketConstructor;
//
// What there is of Node.js (`node:` modules, `Buffer`, `process`) is described by the
// package @types/node.

// ---------------------------------------------------------------------------
// WebSocket
// ---------------------------------------------------------------------------

/** What `send`, `ping`, `pong` and `publish` take. */
type WebSocketData = string | ArrayBufferLike | ArrayBufferView;

interface WebSocketEventMap {
  /** See {@linkcode WebSocket.ondrain}. */
  drain: Event;
  /** See {@linkcode WebSocket.onping}. */
  ping: MessageEvent<ArrayBuffer>;
  /** See {@linkcode WebSocket.onpong}. */
  pong: MessageEvent<ArrayBuffer>;
}

interface WebSocket {
  /** Sends a message. The `send` of a server's socket says what became of it. */
  send(data: WebSocketData | Blob): void;
  /**
   * Sends a ping (RFC 6455 section 5.5.2). Returns like the `send` of
   * {@linkcode Deno.ServerWebSocket}.
   *
   * @param data at most 125 bytes, of a string in UTF-8
   * @throws {RangeError} where it is longer
   * @throws {DOMException} InvalidStateError while the socket is connecting
   */
  ping(data?: string | BufferSource): number;
  /** Sends a pong that nobody asked for, likewise. Pings are answered without it. */
  pong(data?: string | BufferSource): number;
  /**
   * Drops the connection at once, without a close handshake. A `close` event with
   * code 1006 follows, and no `error` event.
   */
  terminate(): void;
  /**
   * Reads nothing more, so that a peer which sends faster than this program works is held up
   * by the network. Messages that were received already may still be delivered. While a socket
   * is paused, pings are not answered, and a `close` event does not come, unless this end
   * closes. The socket's own idle timeout rests.
   */
  pause(): void;
  /** Goes on reading after `pause()`. */
  resume(): void;
  /** Whether the socket is paused. */
  readonly isPaused: boolean;
  /** Lets the socket keep the program alive, as it does by default. */
  ref(): void;
  /** Lets the program end although the socket is open. */
  unref(): void;
  /**
   * The system has taken everything that was queued, after a `send` of which it
   * took only a part, or that was refused for backpressure.
   */
  ondrain: ((this: WebSocket, event: Event) => unknown) | null;
  /** A ping has come, and was answered. */
  onping:
    | ((this: WebSocket, event: MessageEvent<ArrayBuffer>) => unknown)
    | null;
  /** A pong has come. */
  onpong:
    | ((this: WebSocket, event: MessageEvent<ArrayBuffer>) => unknown)
    | null;
}

/** What the close handshake says. */
interface WebSocketCloseInfo {
  /** 1000, or one from 3000 to 4999. */
  closeCode?: number;
  /** At most 123 bytes in UTF-8. With it the code is 1000 where none is given. */
  reason?: string;
}

/** What {@linkcode WebSocketStream.opened} resolves with. */
interface WebSocketOpenInfo {
  /** Messages. A text is a string. While nobody reads, the peer is not listened to. */
  readonly readable: ReadableStream<string | Uint8Array<ArrayBuffer>>;
  /** Messages. A write is done when no more than 64 KiB wait for the system. */
  readonly writable: WritableStream<string | BufferSource>;
  /** What was agreed on, as `Sec-WebSocket-Extensions` has it. */
  readonly extensions: string;
  /** The subprotocol that was agreed on; empty without one. */
  readonly protocol: string;
}

interface WebSocketStreamOptions extends Deno.WebSocketConnectOptions {
  /** Subprotocols to offer, the preferred one first. */
  protocols?: string[];
  /** Gives up opening the connection. Does nothing afterwards. */
  signal?: AbortSignal;
}

/** A WebSocket as a pair of streams, with backpressure in both directions. */
interface WebSocketStream {
  /** The URL that was dialled; empty on a server. */
  readonly url: string;
  /** Rejects with a {@linkcode WebSocketError} where there is no connection. */
  readonly opened: Promise<WebSocketOpenInfo>;
  /** Rejects with a {@linkcode WebSocketError} where it did not close cleanly. */
  readonly closed: Promise<Required<WebSocketCloseInfo>>;
  /**
   * Begins the close handshake, behind what was written.
   *
   * @throws {DOMException} InvalidAccessError for another code; SyntaxError for a
   *   reason that is too long
   */
  close(closeInfo?: WebSocketCloseInfo): void;
}

// deno-lint-ignore no-var
declare var WebSocketStream: {
  readonly prototype: WebSocketStream;
  /**
   * Dials. Needs the permission to net.
   *
   * @param url of scheme ws, wss, http or https, without a fragment
   * @throws {DOMException} SyntaxError for another URL, or bad protocols
   */
  new (url: string | URL, options?: WebSocketStreamOptions): WebSocketStream;
};

interface WebSocketError extends DOMException {
  /** The code of the peer's Close frame, 1006 without one; null of an own error. */
  readonly closeCode: number | null;
  readonly reason: string;
}

// deno-lint-ignore no-var
declare var WebSocketError: {
  readonly prototype: WebSocketError;
  /** Aborting a writable, or cancelling a readable, closes with its code and reason. */
  new (message?: string, init?: WebSocketCloseInfo): WebSocketError;
};

// ---------------------------------------------------------------------------
// Other things of the web that take more here
// ---------------------------------------------------------------------------

interface RequestInit {
  /** The client to fetch with, of `Deno.createHttpClient`. */
  client?: Deno.HttpClient;
}

interface WorkerOptions {
  deno?: {
    /**
     * What the worker may do: as its owner ("inherit", the default), nothing
     * ("none"), or this much of what its owner may.
     */
    permissions?: Deno.PermissionOptions;
  };
}

interface ImportMeta {
  /** The module's URL. */
  url: string;
  /** Whether the module is the program. */
  main: boolean;
  /** The path of the module's file, where it is in one. */
  filename?: string;
  /** The path of the folder of that. */
  dirname?: string;
  /** The URL that an import of `specifier` in this module loads. */
  resolve(specifier: string): string;
}

declare namespace Deno {
  // -------------------------------------------------------------------------
  // Addresses
  // -------------------------------------------------------------------------

  interface NetAddr {
    transport: "tcp" | "udp";
    hostname: string;
    port: number;
  }

  interface UnixAddr {
    transport: "unix" | "unixpacket";
    path: string;
  }

  interface VsockAddr {
    transport: "vsock";
    cid: number;
    port: number;
  }

  type Addr = NetAddr | UnixAddr | VsockAddr;

  // -------------------------------------------------------------------------
  // Options of WebSockets
  // -------------------------------------------------------------------------

  /**
   * The parameters of permessage-deflate (RFC 7692 section 7.1), and when and how
   * hard to compress.
   */
  interface PerMessageDeflateOptions {
    /** The server starts each message with an empty window. Default false. */
    serverNoContextTakeover?: boolean;
    /** The client does. Default false. */
    clientNoContextTakeover?: boolean;
    /** The server's window is 2 to the power of this, 8 to 15. Default 15. */
    serverMaxWindowBits?: number;
    /** The client's window, likewise. */
    clientMaxWindowBits?: number;
    /** Messages of fewer bytes are not compressed. Default 64. */
    threshold?: number;
    /** 0 (fast) to 9 (small). Default 6. */
    level?: number;
  }

  /**
   * What a peer may make a socket hold or do. Whoever exceeds a limit loses this
   * connection, with the close code that is named here.
   */
  interface WebSocketLimits {
    /** Bytes of a message that comes, inflated. Default 64 MiB; beyond it 1009. */
    maxPayloadLength?: number;
    /** Frames of a message that comes. Default 131,072; beyond it 1008. */
    maxFragments?: number;
    /** Pings and pongs in a second. Default 10,000; beyond it 1008. */
    maxControlFrames?: number;
    /**
     * Bytes of memory that what waits for the system may hold when another message is
     * sent. Default 64 MiB; beyond it 1008, unless a server says otherwise.
     */
    backpressureLimit?: number;
    /**
     * Bytes a second that the other end has to take of what was sent before a Close
     * frame or a ping, so that the time to answer that does not run. Default 1024.
     */
    leastProgress?: number;
  }

  /** What a client may say of its connection. */
  interface WebSocketConnectOptions extends WebSocketLimits {
    /**
     * Headers of the opening handshake, beside its own. `Host` is sent where `client`
     * has `allowHost`; what is not sent is told on standard error.
     */
    headers?: HeadersInit;
    /** Certificates, proxy and versions of HTTP, of `Deno.createHttpClient`. */
    client?: HttpClient;
    /** Offers compression (RFC 7692). Default true. */
    perMessageDeflate?: boolean | PerMessageDeflateOptions;
    /** Seconds for look-up, TCP, proxy and TLS. Default 30; 0 is without end. */
    connectTimeout?: number;
    /** Seconds for the answer to the opening handshake. Default 60; 0 is without end. */
    handshakeTimeout?: number;
    /**
     * Seconds for the close handshake, from when the server has taken what was sent
     * before; see `leastProgress`. Default 10; 0 is without end.
     */
    closeTimeout?: number;
  }

  /** The second argument of `new WebSocket`, in place of protocols. */
  interface WebSocketOptions extends WebSocketConnectOptions {
    /** Subprotocols to offer, the preferred one first. */
    protocols?: string | string[];
  }

  /**
   * The constructor of `WebSocket` as it is. See the head of this file for how a
   * module declares it.
   */
  interface WebSocketConstructor {
    readonly prototype: WebSocket;
    readonly CONNECTING: 0;
    readonly OPEN: 1;
    readonly CLOSING: 2;
    readonly CLOSED: 3;
    /**
     * Dials. Needs the permission to net.
     *
     * @param url of scheme ws, wss, http or https, without a fragment
     * @throws {DOMException} SyntaxError for another URL, or bad protocols
     * @throws {TypeError} for bad options
     */
    new (
      url: string | URL,
      protocols?: string | string[] | WebSocketOptions,
    ): WebSocket;
  }

  /** What a server may say of a socket. */
  interface ServerWebSocketOptions extends WebSocketLimits {
    /**
     * Beyond `backpressureLimit`: true closes with 1008, false makes `send` return 0
     * and forget the message. Default true; false in the form of `Deno.serve` that
     * has handlers of sockets.
     */
    closeOnBackpressureLimit?: boolean;
    /**
     * Takes the client's offer of compression (RFC 7692). Default false.
     *
     * The length of a compressed message tells how much of it repeats what went before.
     * Do not compress a secret (a token, a session's id) on a connection that also
     * carries text that somebody else chose: who can see the lengths can then guess the
     * secret, TLS or not (CRIME, BREACH). Send such messages on another connection.
     */
    perMessageDeflate?: boolean | PerMessageDeflateOptions;
    /**
     * The pages that may open a socket; others get status 403. A browser lets any page
     * dial any server, with the cookies of the server (cross-site WebSocket hijacking),
     * so a server that knows its users by cookies, or by their network, needs this.
     *
     * An entry is one of
     *
     * - an origin as browsers write it, `"https://example.com"` or
     *   `"http://localhost:8080"`: scheme, host and port are compared as they are, without
     *   wildcards;
     * - `"same-origin"`: host and port of the page are those of the request's Host. Schemes
     *   are not compared, for TLS may end at a proxy. An attacker can have a name of its
     *   own lead to a server in your network (DNS rebinding): name the origins there;
     * - `"null"`: pages without an origin, such as files and sandboxed frames;
     * - `"*"`: any page.
     *
     * A request without the header `Origin` does not come from a page of another server,
     * for browsers always send it; it is not refused. Default: any page.
     */
    allowedOrigins?: readonly string[];
    /**
     * Seconds after which a client that is not heard from is closed with 1001. It is
     * pinged at half of it, and has the other half from when it has taken what was sent
     * before the ping; see `leastProgress`. A busy event loop does not count. Default 30;
     * 0 is off.
     */
    idleTimeout?: number;
    /**
     * Whether to ping at half of `idleTimeout`. Without it the client has to say
     * something by itself. Default true.
     */
    sendPings?: boolean;
    /**
     * Seconds that the handler has to return the response, after which the client gets
     * status 503. Default 30; 0 is without end.
     */
    handshakeTimeout?: number;
    /**
     * Seconds for the close handshake, from when the client has taken what was sent
     * before; see `leastProgress`. Default 10; 0 is without end.
     */
    closeTimeout?: number;
    /** Topics that the socket may be subscribed to. Default 131,072; beyond it 1008. */
    maxTopics?: number;
    /** Bytes of the name of one of them. Default 256; beyond it 1008. */
    maxTopicLength?: number;
  }

  interface UpgradeWebSocketOptions extends ServerWebSocketOptions {
    /**
     * The subprotocol to answer with, one of those that the client offers. Default
     * none.
     */
    protocol?: string;
    /**
     * Headers of the answer (101, or 200 over HTTP/2), beside the handshake's own,
     * which make a TypeError. `Sec-WebSocket-Protocol` among them is `protocol`.
     */
    headers?: HeadersInit;
  }

  // -------------------------------------------------------------------------
  // A server's sockets
  // -------------------------------------------------------------------------

  /** A `WebSocket` that a client has opened. Topics belong to its server. */
  interface ServerWebSocket<Data = unknown> extends WebSocket {
    /**
     * Sends a message, and says what became of it:
     *
     * - its length in bytes, or 1 for an empty one: it was taken;
     * - -1: it was taken, but the system takes no more for now. A `drain` event
     *   says when it has taken everything;
     * - 0: it was refused, since the socket is closing or closed, or since more than
     *   `backpressureLimit` bytes wait and `closeOnBackpressureLimit` is false. In the
     *   second case a `drain` event follows as well.
     *
     * The content of a `Blob` is read first. Messages keep their order nevertheless,
     * those that are published too, and are sent as they are now.
     *
     * @throws {DOMException} InvalidStateError while the socket is connecting
     */
    send(data: WebSocketData | Blob): number;
    /** What `upgrade` was called with; undefined without that. */
    data: Data;
    readonly remoteAddr: NetAddr | UnixAddr;
    /** The topics it is subscribed to. */
    readonly subscriptions: string[];
    /** False where it was subscribed already, is closed, or exceeds a limit. */
    subscribe(topic: string): boolean;
    /**
     * Subscribes, and first sends all that was published behind the position `since`, in
     * order: either all of it, or nothing where not all is kept any more. Nothing is lost
     * or doubled between that and what comes live. A position is also taken as the line
     * that stands before a message; null is none, for a first visit.
     *
     * Resolves when that is done. Rejects with a TypeError without the server's option
     * `topics.history`, and with an Error where the broker that keeps the history is away
     * and this process has not all that was missed: then the socket is not subscribed.
     */
    subscribe(
      topic: string,
      options: { since: TopicPosition | string | null },
    ): Promise<TopicRecovery>;
    /** False where it was not subscribed. */
    unsubscribe(topic: string): boolean;
    isSubscribed(topic: string): boolean;
    /**
     * Sends to all subscribers of the topic but this one. Returns, for those in this
     * event loop, the length of the message in bytes, -1 where one has backpressure, 0
     * where nobody took it.
     */
    publish(topic: string, data: WebSocketData): number;
  }

  interface WebSocketUpgrade {
    socket: ServerWebSocket<undefined>;
    /** To be returned by the handler of the request. */
    response: Response;
  }

  /**
   * Answers a WebSocket handshake, that of HTTP/1.1 or of HTTP/2 (RFC 8441). The
   * socket opens when the handler has returned the response.
   *
   * @throws {TypeError} where the request is no handshake. A handler that lets it
   *   through answers with the status that fits (400, 426, …)
   */
  function upgradeWebSocket(
    request: Request,
    options?: UpgradeWebSocketOptions,
  ): WebSocketUpgrade;

  interface WebSocketStreamUpgrade {
    /** `opened` resolves when the client was answered. */
    stream: WebSocketStream;
    /** To be returned by the handler of the request. */
    response: Response;
  }

  /**
   * The same with a pair of streams. While nobody reads, the client is not listened to,
   * and not held to be silent either. Writes wait, so `closeOnBackpressureLimit` has
   * no say.
   */
  function upgradeWebSocketStream(
    request: Request,
    options?: UpgradeWebSocketOptions,
  ): WebSocketStreamUpgrade;

  // -------------------------------------------------------------------------
  // Deno.serve
  // -------------------------------------------------------------------------

  interface ServeHandlerInfo<Address extends Addr = NetAddr> {
    readonly remoteAddr: Address;
    /** Resolves when the response was sent; rejects where it could not be. */
    readonly completed: Promise<void>;
  }

  /** Answers a request. */
  type ServeHandler<Address extends Addr = NetAddr> = (
    request: Request,
    info: ServeHandlerInfo<Address>,
  ) => Response | Promise<Response>;

  /** Both names are the same, and one is needed. */
  type RequestHandler<Address extends Addr = NetAddr> =
    | {
      handler: ServeHandler<Address>;
      fetch?: undefined;
      websocket?: undefined;
    }
    | {
      fetch: ServeHandler<Address>;
      handler?: undefined;
      websocket?: undefined;
    };

  interface ServeOptions<Address extends Addr = NetAddr> {
    /** Ends the server and all of its connections at once. */
    signal?: AbortSignal;
    /** Answers in place of a handler that threw. Default: status 500, and a log. */
    onError?: (error: unknown) => Response | Promise<Response>;
    /** Called when the server listens. Default: a line on standard error. */
    onListen?: (localAddr: Address) => void;
    /** Bytes of the head of a request, from 8192. Default 64 KiB; beyond it 431. */
    maxHeaderSize?: number;
    /**
     * Bytes of the body of a request. A longer one gets status 413, and reading it fails.
     * Default: what `--max-request-body-size` says, or no limit.
     */
    maxRequestBodySize?: number;
    /**
     * In a program that `duplex serve --parallel` runs on several event loops: true lets
     * them share this server, whose first one listens and shares out the connections.
     */
    parallel?: boolean;
    /** With whom the server has its topics in common. */
    topics?: TopicsOptions;
  }

  interface TopicsOptions {
    /**
     * Servers of this process that say the same name, in workers too, have the same
     * topics. Default: those of the server, in all event loops of `duplex serve`.
     */
    name?: string;
    /**
     * A broker through which other processes have the same topics:
     * `nats://host:4222`, `tls://…` (NATS with TLS), `redis://host:6379`, `rediss://…`,
     * with `user:password@` where it wants that. Needs the permission to net for its host.
     * Of `duplex serve`, `--broker` and the environment's `DUPLEX_BROKER` go before.
     */
    broker?: string;
    /**
     * What the names of all subjects or channels at the broker begin with. Default
     * `name`, or else "duplex".
     */
    prefix?: string;
    /**
     * Keeps the last messages of each topic for clients that come back: see
     * {@linkcode ServerWebSocket.subscribe}. Each message then begins with a line that is
     * its position. With `broker` they are kept there, for all processes: by Redis, or by
     * a NATS server with JetStream. Otherwise they are kept in this process.
     */
    history?: {
      /** Messages of each topic, up to 1,000,000. */
      size: number;
      /** For how many seconds. */
      ttl: number;
    };
    /** Called when there is no connection to the broker any more, or a first one fails. */
    down?(reason: string): void | Promise<void>;
    /** Called when there is one, and the broker knows all subscriptions. */
    up?(): void | Promise<void>;
    /** Called when messages of other processes may have been missed since then. */
    gap?(since: Date): void | Promise<void>;
  }

  /** The place of a message among those of its topic. */
  interface TopicPosition {
    /**
     * That of what is kept of the topic: another one where it was lost, as without a broker
     * when the server is started anew.
     */
    epoch: string;
    /** Goes up with each message of the topic. Leaves out numbers with NATS only. */
    offset: number;
  }

  interface TopicRecovery {
    /** Whether all that was missed has been sent. Else nothing of it was. */
    recovered: boolean;
    /** That of the last message so far. Null where the socket is closed. */
    position: TopicPosition | null;
  }

  /** How the connection to a broker is. */
  interface BrokerStatus {
    readonly state: "connecting" | "up" | "down";
    /** Since when it is in that state. */
    readonly since: Date;
    /** Messages of this process that the broker has not confirmed. */
    readonly lost: number;
    /** What went wrong last. */
    readonly error: string | null;
  }

  /**
   * The numbers of the program: of all servers and clients, in all event loops, since the
   * program started.
   */
  interface Metrics {
    /** WebSockets that are open now. */
    connections: { server: number; client: number };
    /** WebSockets whose opening handshake succeeded. */
    opened: { server: number; client: number };
    /**
     * WebSockets that have ended, by the code of the `close` event. The codes 3000 to 4999
     * count as `application`. A code that has not occurred is not there.
     */
    closed: Record<string, number>;
    /** Messages that the program was handed. */
    messagesReceived: { text: number; binary: number };
    /** The bytes of these. */
    bytesReceived: { text: number; binary: number };
    /** Messages that were queued for a peer, published ones among them. */
    messagesSent: { text: number; binary: number };
    /** The bytes of these. */
    bytesSent: { text: number; binary: number };
    /** Bytes of frames that wait because the kernel takes no more for now. */
    sendQueueBytes: number;
    /** Messages that were sent while the kernel took no more, by what became of them. */
    backpressure: { queued: number; refused: number; closed: number };
    /** WebSockets that ended because of a limit, by the option that sets it. */
    limitsExceeded: Record<string, number>;
    /** Connections that were closed when they were accepted: `--max-connections`. */
    connectionsRefused: number;
    /** Requests for a WebSocket that got another status than 101, by the status. */
    handshakesRefused: Record<string, number>;
    /** Clients that got no connection, by the reason. */
    dialsFailed: Record<string, number>;
    /** Topics that have a subscriber in this process. */
    topics: number;
    /** Subscriptions of all sockets of this process. */
    subscriptions: number;
    /** Messages that this process has published. */
    published: number;
    /** Published messages that were queued for a subscriber: one for each subscriber. */
    delivered: number;
    /** Messages of this process that no broker has confirmed. */
    brokerLost: number;
  }

  interface PublishOptions {
    /** Sends to the sockets of this process only. */
    local?: boolean;
    /**
     * False leaves the message as it is, for the subscribers of this event loop. By default
     * `perMessageDeflate` decides.
     */
    compress?: boolean;
  }

  interface ServeTcpOptions extends ServeOptions<NetAddr> {
    /** 0 lets the system choose. Default 8000. */
    port?: number;
    /** A name or an address. Default "0.0.0.0". */
    hostname?: string;
    /** Shares the port with other servers that say so, such as workers'. */
    reusePort?: boolean;
    /** Connections that wait to be accepted. Default 511. */
    tcpBacklog?: number;
    /** A chain of certificates, in PEM. With `key` it serves TLS, HTTP/2 and HTTP/1.1. */
    cert?: string;
    /** The private key of the first certificate, in PEM. */
    key?: string;
  }

  interface ServeUnixOptions extends ServeOptions<UnixAddr> {
    /**
     * The path of the socket. Needs the permissions to read and write it, and to net for
     * `unix:PATH`.
     */
    path: string;
  }

  interface HttpServer<Address extends Addr = NetAddr> extends AsyncDisposable {
    readonly addr: Address;
    /** Resolves when the server has ended: no connection is left. */
    readonly finished: Promise<void>;
    /**
     * Accepts no more, lets requests be answered, and closes WebSockets with 1001;
     * those that do not answer within their `closeTimeout` are dropped. A client that takes
     * nothing of its answer for 60 s is dropped too. Resolves like
     * `finished`.
     */
    shutdown(): Promise<void>;
    /** Lets the server keep the program alive, as it does by default. */
    ref(): void;
    /** Lets the program end although the server runs. */
    unref(): void;
    /**
     * Sends to all subscribers of the topic. Returns as
     * {@linkcode ServerWebSocket.publish}.
     */
    publish(
      topic: string,
      data: WebSocketData,
      options?: PublishOptions | boolean,
    ): number;
    /**
     * The same with `topics.history`. Resolves with the position of the message. Rejects with
     * a TypeError without that option, and with an Error where the broker that keeps the
     * history is away or does not take the message.
     */
    publishRecorded(topic: string, data: WebSocketData): Promise<TopicPosition>;
    /** How many sockets of this process are subscribed to the topic. */
    subscriberCount(topic: string): number;
    /**
     * Resolves when the broker has taken all that was published so far, and knows all
     * subscriptions; at once without a broker.
     *
     * @throws {Error} where the broker is away
     */
    flush(): Promise<void>;
    /** How the connection to the broker is, or null without one. */
    readonly broker: BrokerStatus | null;
    /** The numbers of the program: of all servers and clients, in all event loops. */
    metrics(): Metrics;
  }

  /** Serves HTTP/1.1 and HTTP/2. Needs the permission to net. */
  function serve(handler: ServeHandler<NetAddr>): HttpServer<NetAddr>;
  function serve(
    options: ServeUnixOptions,
    handler: ServeHandler<UnixAddr>,
  ): HttpServer<UnixAddr>;
  function serve(
    options: ServeTcpOptions,
    handler: ServeHandler<NetAddr>,
  ): HttpServer<NetAddr>;
  function serve(
    options: ServeUnixOptions & RequestHandler<UnixAddr>,
  ): HttpServer<UnixAddr>;
  function serve(
    options: ServeTcpOptions & RequestHandler<NetAddr>,
  ): HttpServer<NetAddr>;
  /**
   * The form with handlers of sockets, for which no event object is made. `Data` is
   * what `upgrade` gives to a socket:
   *
   * ```ts
   * Deno.serve<{ name: string }>({
   *   fetch(request, info) {
   *     if (info.upgrade(request, { data: { name: "guest" } })) return;
   *     return new Response("This is a WebSocket server.", { status: 426 });
   *   },
   *   websocket: {
   *     open: (ws) => void ws.subscribe("room"),
   *     message: (ws, text) => void ws.publish("room", `${ws.data.name}: ${text}`),
   *   },
   * });
   * ```
   */
  function serve<Data = undefined>(
    options: ServeUnixOptions & SocketHandlers<Data, UnixAddr>,
  ): WebSocketServer<Data, UnixAddr>;
  function serve<Data = undefined>(
    options: ServeTcpOptions & SocketHandlers<Data, NetAddr>,
  ): WebSocketServer<Data, NetAddr>;

  /** What `upgrade` may be told. `data` may be left out where there need be none. */
  type UpgradeArguments<Data> = undefined extends Data
    ? [options?: UpgradeOptions<Data>]
    : [options: UpgradeOptions<Data> & { data: Data }];

  interface UpgradeOptions<Data = undefined> {
    /** What becomes {@linkcode ServerWebSocket.data}. */
    data?: Data;
    /** See {@linkcode UpgradeWebSocketOptions.headers}. */
    headers?: HeadersInit;
    /** The subprotocol to answer with, one of those that the client offers. */
    protocol?: string;
  }

  /** What both a server and the `info` of a request can do for its sockets. */
  interface WebSocketUpgrader<Data = undefined> {
    /**
     * Answers a WebSocket handshake. After true the handler returns nothing.
     *
     * False says that the request is none, or that its client has left. A handler
     * that returns nothing then answers with the refusal (400, 426, …).
     */
    upgrade(request: Request, ...options: UpgradeArguments<Data>): boolean;
    /** See {@linkcode HttpServer.publish}. */
    publish(
      topic: string,
      data: WebSocketData,
      options?: PublishOptions | boolean,
    ): number;
    /** See {@linkcode HttpServer.publishRecorded}. */
    publishRecorded(topic: string, data: WebSocketData): Promise<TopicPosition>;
    /** See {@linkcode HttpServer.subscriberCount}. */
    subscriberCount(topic: string): number;
    /** See {@linkcode HttpServer.flush}. */
    flush(): Promise<void>;
    /** See {@linkcode HttpServer.broker}. */
    readonly broker: BrokerStatus | null;
    /** See {@linkcode HttpServer.metrics}. */
    metrics(): Metrics;
  }

  /** What a server with `fetch` or `routes` has, after Bun; so has the `info` of a request. */
  interface HandlerServer<Data = undefined, Address extends Addr = NetAddr> {
    /** Undefined on a unix socket. */
    readonly port: number | undefined;
    /** "localhost" where it listens on all addresses; undefined on a unix socket. */
    readonly hostname: string | undefined;
    readonly url: URL;
    readonly id: string;
    readonly development: boolean;
    /** Requests that wait for their answer. */
    readonly pendingRequests: number;
    /** Sockets that are open. */
    readonly pendingWebSockets: number;
    /** Null on a unix socket, and when the request is over. */
    requestIP(
      request: Request,
    ): { address: string; family: "IPv4" | "IPv6"; port: number } | null;
    /** For how many seconds the body of this request may bring nothing; 0 is for ever. */
    timeout(request: Request, seconds: number): void;
    /** Changes handlers. Sockets that are open keep theirs. */
    reload(
      options:
        & Partial<SocketHandlers<Data, Address>>
        & HandlerOptions<Data, Address>,
    ): WebSocketServer<Data, Address>;
    /** Calls the handler `fetch` with a request that no client has sent. */
    fetch(request: Request | string | URL): Promise<Response | undefined>;
    /** Ends the server: as {@linkcode HttpServer.shutdown}, or at once. */
    stop(closeActiveConnections?: boolean): Promise<void>;
    ref(): void;
    unref(): void;
  }

  interface WebSocketServer<Data = undefined, Address extends Addr = NetAddr>
    extends
      HttpServer<Address>,
      WebSocketUpgrader<Data>,
      HandlerServer<Data, Address> {
    ref(): void;
    unref(): void;
  }

  interface FetchHandlerInfo<Data = undefined, Address extends Addr = NetAddr>
    extends
      ServeHandlerInfo<Address>,
      WebSocketUpgrader<Data>,
      HandlerServer<Data, Address> {}

  /** A request of a route. */
  interface RouteRequest extends Request {
    /** The parts of the path that stand for `:name`, without their percent-encoding. */
    readonly params: Record<string, string>;
  }

  type RouteHandler<Data = undefined, Address extends Addr = NetAddr> =
    | Response
    | ((
      request: RouteRequest,
      info: FetchHandlerInfo<Data, Address>,
    ) => Response | undefined | void | Promise<Response | undefined | void>);

  /**
   * What answers a path. A path without parameters goes before one with (`/users/:id`), and
   * that before a wildcard (`/files/*`). False leaves the path to `fetch`.
   */
  type Routes<Data = undefined, Address extends Addr = NetAddr> = Record<
    `/${string}`,
    | RouteHandler<Data, Address>
    | {
      [
        Method in
          | "CONNECT"
          | "DELETE"
          | "GET"
          | "HEAD"
          | "OPTIONS"
          | "PATCH"
          | "POST"
          | "PUT"
          | "TRACE"
      ]?: RouteHandler<Data, Address>;
    }
    | false
  >;

  /** Options of a server with `fetch` or `routes`, after Bun. */
  interface HandlerOptions<Data = undefined, Address extends Addr = NetAddr> {
    routes?: Routes<Data, Address>;
    /** Another name of `onError`. */
    error?: (error: Error) => Response | Promise<Response>;
    /** A certificate and its key, in PEM. */
    tls?: false | { cert: Pem; key: Pem } | [{ cert: Pem; key: Pem }];
    /** Another name of `path`. */
    unix?: string;
    id?: string;
  }

  /** Text of PEM. */
  type Pem = string | BufferSource | (string | BufferSource)[];

  /** The socket of a server whose handlers are in one object, after Bun. */
  interface HandlerWebSocket<Data = unknown> extends ServerWebSocket<Data> {
    /** What was set. */
    get binaryType(): BinaryType;
    /**
     * What binary messages come as: an ArrayBuffer, which is the default, a Uint8Array, or a
     * Buffer of Node.js.
     */
    set binaryType(value: "arraybuffer" | "uint8array" | "nodebuffer");
    /** The client's address, without a port. */
    readonly remoteAddress: string | undefined;
    getBufferedAmount(): number;
    /** Calls the function, and returns what it returns. */
    cork<Result>(callback: (ws: HandlerWebSocket<Data>) => Result): Result;
    /**
     * As the socket's `send` of events. False for `compress` leaves this message as it is;
     * otherwise `perMessageDeflate` decides. A Blob is left to that option.
     */
    send(data: WebSocketData | Blob, compress?: boolean): number;
    sendText(text: string, compress?: boolean): number;
    sendBinary(bytes: BufferSource, compress?: boolean): number;
    publish(topic: string, data: WebSocketData, compress?: boolean): number;
    publishText(topic: string, text: string, compress?: boolean): number;
    publishBinary(
      topic: string,
      bytes: BufferSource,
      compress?: boolean,
    ): number;
  }

  /** Answers a request, or upgrades it and returns nothing. */
  type FetchHandler<Data = undefined, Address extends Addr = NetAddr> = (
    request: Request,
    info: FetchHandlerInfo<Data, Address>,
  ) => Response | undefined | void | Promise<Response | undefined | void>;

  interface SocketHandlers<Data = undefined, Address extends Addr = NetAddr>
    extends HandlerOptions<Data, Address> {
    fetch: FetchHandler<Data, Address>;
    websocket: WebSocketHandler<Data>;
  }

  /** What happens on sockets, and their options. A handler may be asynchronous. */
  interface WebSocketHandler<Data = undefined> extends ServerWebSocketOptions {
    /** `ws.publish` reaches the socket itself too, if it subscribes. Default false. */
    publishToSelf?: boolean;
    /** As in Bun it is for the type of sockets' data, and no value. */
    data?: Data;
    open?(ws: HandlerWebSocket<Data>): unknown;
    /** A message: a text is a string. */
    message?(ws: HandlerWebSocket<Data>, data: string | ArrayBuffer): unknown;
    /** See {@linkcode WebSocket.ondrain}. */
    drain?(ws: HandlerWebSocket<Data>): unknown;
    /** The last call for a socket. The code is 1006 where there was no Close frame. */
    close?(ws: HandlerWebSocket<Data>, code: number, reason: string): unknown;
    ping?(ws: HandlerWebSocket<Data>, data: ArrayBuffer): unknown;
    pong?(ws: HandlerWebSocket<Data>, data: ArrayBuffer): unknown;
    /**
     * A handler threw, or what it returned rejected. Default: it is reported as an
     * uncaught error is.
     */
    error?(ws: HandlerWebSocket<Data>, error: Error): unknown;
  }

  /**
   * What a module exports for `duplex serve`. The flags `--port` and `--host` go
   * before it.
   *
   * ```ts
   * export default {
   *   fetch: () => new Response("hello"),
   * } satisfies Deno.ServeDefaultExport;
   * ```
   */
  type ServeDefaultExport<
    Data = undefined,
    Address extends NetAddr | UnixAddr = NetAddr,
  > =
    & Omit<
      Address extends UnixAddr ? ServeUnixOptions : ServeTcpOptions,
      "parallel"
    >
    & HandlerOptions<Data, Address>
    & {
      /**
       * On how many event loops `duplex serve` serves the module, each with the module
       * and a thread of its own; true is one for each core. `--parallel` goes before.
       */
      parallel?: boolean | number;
      fetch: FetchHandler<Data, Address>;
      websocket?: WebSocketHandler<Data>;
    };

  // -------------------------------------------------------------------------
  // Deno.serveHttp, as Deno had it until 2.0
  // -------------------------------------------------------------------------

  interface RequestEvent {
    readonly request: Request;
    /** Resolves when the response is sent; rejects with what `response` threw. */
    respondWith(response: Response | Promise<Response>): Promise<void>;
  }

  interface HttpConn extends AsyncIterableIterator<RequestEvent>, Disposable {
    readonly rid: number;
    /** Resolves with null when the connection has ended. */
    nextRequest(): Promise<RequestEvent | null>;
    /** Ends the connection. A WebSocket that it became lives on. */
    close(): void;
  }

  /**
   * Serves a connection that was accepted, which is the server's from here on.
   *
   * @deprecated New programs use `Deno.serve`.
   */
  function serveHttp(conn: Conn): HttpConn;

  // -------------------------------------------------------------------------
  // Clients
  // -------------------------------------------------------------------------

  interface BasicAuth {
    username: string;
    password: string;
  }

  type Proxy =
    | {
      transport?: "http" | "https" | "socks5";
      /** Of scheme http, https, socks5 or socks5h. */
      url: string;
      basicAuth?: BasicAuth;
    }
    | { transport: "tcp"; hostname: string; port: number }
    | { transport: "unix"; path: string }
    | { transport: "vsock"; cid: number; port: number };

  interface TlsCertifiedKeyPem {
    keyFormat?: "pem";
    /** A chain of certificates, in PEM. */
    cert: string;
    /** The private key of the first one, in PEM. */
    key: string;
  }

  interface CreateHttpClientOptions extends Partial<TlsCertifiedKeyPem> {
    /** Authorities to trust as well, in PEM. */
    caCerts?: string[];
    /** Default: that of HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY. */
    proxy?: Proxy;
    /** Default true. */
    http1?: boolean;
    /** Default true. */
    http2?: boolean;
    /** The address to dial from. */
    localAddress?: string;
    /** Bytes of headers over HTTP/2. */
    http2MaxHeaderListSize?: number;
    /** Of `fetch` only: idle connections to keep for each host. */
    poolMaxIdlePerHost?: number;
    /** Of `fetch` only: milliseconds to keep one; false is without end. */
    poolIdleTimeout?: number | false;
    /** A request, or a handshake, may set the header Host. Default false. */
    allowHost?: boolean;
  }

  /** A client for `fetch` and for WebSockets. */
  class HttpClient implements Disposable {
    private constructor();
    close(): void;
    [Symbol.dispose](): void;
  }

  /** @throws {TypeError} for a proxy or a certificate that cannot be used */
  function createHttpClient(options: CreateHttpClientOptions): HttpClient;

  // -------------------------------------------------------------------------
  // Sockets of the transport
  // -------------------------------------------------------------------------

  interface Reader {
    /** Resolves with the number of bytes that were read, null at the end. */
    read(buffer: Uint8Array): Promise<number | null>;
  }

  interface Writer {
    /** Resolves with the number of bytes that were written. */
    write(data: Uint8Array): Promise<number>;
  }

  interface Conn<Address extends Addr = Addr>
    extends Reader, Writer, Disposable {
    readonly localAddr: Address;
    readonly remoteAddr: Address;
    readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
    readonly writable: WritableStream<Uint8Array>;
    close(): void;
    /** Sends the end, and goes on reading. */
    closeWrite(): Promise<void>;
    ref(): void;
    unref(): void;
  }

  interface TcpConn extends Conn<NetAddr> {
    setNoDelay(noDelay?: boolean): void;
    setKeepAlive(keepAlive?: boolean): void;
  }

  interface UnixConn extends Conn<UnixAddr> {}

  interface VsockConn extends Conn<VsockAddr> {}

  interface TlsConn extends Conn<NetAddr> {
    /** Resolves when the handshake is through. Reading and writing wait for it too. */
    handshake(): Promise<TlsHandshakeInfo>;
  }

  interface TlsHandshakeInfo {
    /** What ALPN agreed on. */
    alpnProtocol: string | null;
  }

  interface Listener<
    Connection extends Conn = Conn,
    Address extends Addr = Addr,
  > extends AsyncIterable<Connection>, Disposable {
    readonly addr: Address;
    /** @throws {Deno.errors.BadResource} when the listener is closed */
    accept(): Promise<Connection>;
    close(): void;
    ref(): void;
    unref(): void;
    [Symbol.asyncIterator](): AsyncIterableIterator<Connection>;
  }

  interface TcpListenOptions {
    /** Default 0: the system chooses. */
    port?: number;
    /** Default "0.0.0.0". */
    hostname?: string;
    reusePort?: boolean;
    /** Connections that wait to be accepted. Default 511. */
    tcpBacklog?: number;
  }

  interface UnixOptions {
    transport: "unix";
    path: string;
  }

  interface VsockOptions {
    transport: "vsock";
    cid: number;
    port: number;
  }

  function listen(
    options: TcpListenOptions & { transport?: "tcp" },
  ): Listener<TcpConn, NetAddr>;
  function listen(options: UnixOptions): Listener<UnixConn, UnixAddr>;
  function listen(options: VsockOptions): Listener<VsockConn, VsockAddr>;

  function listenTls(
    options: TcpListenOptions & TlsCertifiedKeyPem & {
      transport?: "tcp";
      alpnProtocols?: string[];
    },
  ): Listener<TlsConn, NetAddr>;

  interface ConnectOptions {
    port: number;
    /** Default "127.0.0.1". */
    hostname?: string;
    transport?: "tcp";
    signal?: AbortSignal;
    /** Tries addresses of IPv6 and IPv4 side by side. Default true. */
    autoSelectFamily?: boolean;
    /** Milliseconds between two tries. Default 250. */
    autoSelectFamilyAttemptDelay?: number;
  }

  function connect(options: ConnectOptions): Promise<TcpConn>;
  function connect(options: UnixOptions): Promise<UnixConn>;
  function connect(options: VsockOptions): Promise<VsockConn>;

  interface StartTlsOptions {
    /** The name in the peer's certificate. Default "127.0.0.1". */
    hostname?: string;
    /** Authorities to trust as well, in PEM. */
    caCerts?: string[];
    alpnProtocols?: string[];
    /** Takes a certificate of another name. Dangerous. */
    unsafelyDisableHostnameVerification?: boolean;
  }

  interface ConnectTlsOptions
    extends StartTlsOptions, Partial<TlsCertifiedKeyPem> {
    port: number;
    transport?: "tcp";
    autoSelectFamily?: boolean;
    autoSelectFamilyAttemptDelay?: number;
  }

  function connectTls(options: ConnectTlsOptions): Promise<TlsConn>;
  /** Speaks TLS on a connection, which is lost to the caller. */
  function startTls(conn: TcpConn, options?: StartTlsOptions): Promise<TlsConn>;

  interface ResolveDnsOptions {
    nameServer?: { ipAddr: string; port?: number };
    signal?: AbortSignal;
  }

  interface DnsRecords {
    A: string;
    AAAA: string;
    ANAME: string;
    CAA: { critical: boolean; tag: string; value: string };
    CNAME: string;
    MX: { preference: number; exchange: string };
    NAPTR: {
      order: number;
      preference: number;
      flags: string;
      services: string;
      regexp: string;
      replacement: string;
    };
    NS: string;
    PTR: string;
    SOA: {
      mname: string;
      rname: string;
      serial: number;
      refresh: number;
      retry: number;
      expire: number;
      minimum: number;
    };
    SRV: { priority: number; weight: number; port: number; target: string };
    TXT: string[];
  }

  function resolveDns<Type extends keyof DnsRecords>(
    query: string,
    recordType: Type,
    options?: ResolveDnsOptions,
  ): Promise<DnsRecords[Type][]>;

  // -------------------------------------------------------------------------
  // The program and the system
  // -------------------------------------------------------------------------

  /** The arguments behind the program. */
  const args: string[];
  /** The URL of the program. Workers have none. */
  const mainModule: string;
  const pid: number;
  const ppid: number;
  /** The user wants no colours. */
  const noColor: boolean;
  /** What the process exits with where `exit` is not told. Default 0. */
  let exitCode: number;

  const build: {
    readonly target: string;
    readonly arch: string;
    readonly os: string;
    readonly vendor: string;
    readonly env?: string;
  };

  const version: {
    /** The release of Deno whose behaviour is the reference. */
    readonly deno: string;
    readonly v8: string;
    readonly typescript: string;
    readonly duplex: string;
    readonly engine: "v8" | "quickjs";
  };

  interface Env {
    get(name: string): string | undefined;
    set(name: string, value: string): void;
    delete(name: string): void;
    has(name: string): boolean;
    toObject(): Record<string, string>;
  }

  /** The environment. Needs the permission to env. */
  const env: Env;

  /** Dispatches `unload`, then ends the process, or the worker that calls it. */
  function exit(code?: number): never;
  function execPath(): string;
  function hostname(): string;
  function osRelease(): string;
  /** Seconds since the system started. */
  function osUptime(): number;
  /** The last 1, 5 and 15 minutes'. */
  function loadavg(): [number, number, number];
  function uid(): number | null;
  function gid(): number | null;
  function umask(mask?: number): number;

  interface SystemMemoryInfo {
    total: number;
    free: number;
    available: number;
    buffers: number;
    cached: number;
    swapTotal: number;
    swapFree: number;
  }

  /** In bytes. */
  function systemMemoryInfo(): SystemMemoryInfo;

  interface MemoryUsage {
    rss: number;
    heapTotal: number;
    heapUsed: number;
    external: number;
  }

  /** The process's, in bytes. */
  function memoryUsage(): MemoryUsage;
  /** The process's, in microseconds. */
  function cpuUsage(): { user: number; system: number };

  interface NetworkInterfaceInfo {
    family: "IPv4" | "IPv6";
    name: string;
    address: string;
    netmask: string;
    scopeid: number | null;
    cidr: string;
    mac: string;
  }

  function networkInterfaces(): NetworkInterfaceInfo[];

  type Signal = `SIG${string}`;

  /** A listener takes the place of what the signal does by default. */
  function addSignalListener(signal: Signal, listener: () => void): void;
  function removeSignalListener(signal: Signal, listener: () => void): void;

  interface CommandOptions {
    args?: string[];
    cwd?: string | URL;
    clearEnv?: boolean;
    env?: Record<string, string>;
    uid?: number;
    gid?: number;
    signal?: AbortSignal;
    stdin?: "piped" | "inherit" | "null";
    stdout?: "piped" | "inherit" | "null";
    stderr?: "piped" | "inherit" | "null";
    detached?: boolean;
  }

  interface CommandStatus {
    success: boolean;
    code: number;
    signal: Signal | null;
  }

  interface CommandOutput extends CommandStatus {
    readonly stdout: Uint8Array;
    readonly stderr: Uint8Array;
  }

  class ChildProcess implements AsyncDisposable {
    private constructor();
    get stdin(): WritableStream<Uint8Array>;
    get stdout(): ReadableStream<Uint8Array>;
    get stderr(): ReadableStream<Uint8Array>;
    readonly pid: number;
    readonly status: Promise<CommandStatus>;
    output(): Promise<CommandOutput>;
    kill(signal?: Signal): void;
    ref(): void;
    unref(): void;
    [Symbol.asyncDispose](): Promise<void>;
  }

  /** A program to run. Needs the permission to run it. */
  class Command {
    constructor(command: string | URL, options?: CommandOptions);
    output(): Promise<CommandOutput>;
    outputSync(): CommandOutput;
    spawn(): ChildProcess;
  }

  /** Starts a program. Needs the permission to run it. */
  function spawn(command: string | URL, options?: CommandOptions): ChildProcess;
  function spawn(
    command: string | URL,
    args: string[],
    options?: Omit<CommandOptions, "args">,
  ): ChildProcess;
  /** Runs a program to its end. Needs the permission to run it. */
  function spawnAndWait(
    command: string | URL,
    options?: CommandOptions,
  ): Promise<CommandOutput>;
  function spawnAndWait(
    command: string | URL,
    args: string[],
    options?: Omit<CommandOptions, "args">,
  ): Promise<CommandOutput>;
  /** Runs a program to its end. Needs the permission to run it. */
  function spawnAndWaitSync(
    command: string | URL,
    options?: CommandOptions,
  ): CommandOutput;
  function spawnAndWaitSync(
    command: string | URL,
    args: string[],
    options?: Omit<CommandOptions, "args">,
  ): CommandOutput;

  /** Sends a signal to a process. Needs the permission to run. */
  function kill(pid: number, signal?: Signal): void;

  /** What has changed in the file system. */
  interface FsEvent {
    /** What happened; "remove" also where the file is gone by now. */
    kind:
      | "any"
      | "access"
      | "create"
      | "modify"
      | "rename"
      | "remove"
      | "other";
    paths: string[];
    /** "rescan": events were lost, since more came than were read. Look at the files. */
    flag?: "rescan" | null;
  }

  interface FsWatcher extends AsyncIterable<FsEvent>, Disposable {
    close(): void;
    next(): Promise<IteratorResult<FsEvent>>;
    return?(value?: unknown): Promise<IteratorResult<FsEvent>>;
    /** Lets the watcher keep the program alive, as it does by default. */
    ref(): void;
    /** Lets the program end although the watcher waits. */
    unref(): void;
    [Symbol.asyncIterator](): AsyncIterableIterator<FsEvent>;
  }

  interface WatchFsOptions {
    /** Also watch what is in folders below. The default is true. */
    recursive?: boolean;
    /** Paths whose changes are not told. */
    ignore?: string | URL | (string | URL)[];
  }

  /**
   * Watches files and folders. Needs the permission to read them. Links in watched
   * folders are not followed.
   */
  function watchFs(
    paths: string | URL | (string | URL)[],
    options?: WatchFsOptions,
  ): FsWatcher;

  /** Lets the timer keep the program alive, as it does by default. */
  function refTimer(id: unknown): void;
  /** Lets the program end although the timer is set. */
  function unrefTimer(id: unknown): void;

  interface InspectOptions {
    colors?: boolean;
    compact?: boolean | number;
    depth?: number;
    breakLength?: number;
    escapeSequences?: boolean;
    iterableLimit?: number;
    showProxy?: boolean;
    sorted?: boolean;
    trailingComma?: boolean;
    getters?: boolean;
    showHidden?: boolean;
    strAbbreviateSize?: number;
  }

  /** A value as the console shows it. */
  function inspect(value: unknown, options?: InspectOptions): string;

  // -------------------------------------------------------------------------
  // Permissions
  // -------------------------------------------------------------------------

  type PermissionDescriptor =
    | { name: "read" | "write" | "ffi"; path?: string | URL }
    | { name: "net" | "import"; host?: string }
    | { name: "env"; variable?: string }
    | { name: "sys"; kind?: string }
    | { name: "run"; command?: string | URL };

  type PermissionState = "granted" | "denied" | "prompt";

  class PermissionStatus extends EventTarget {
    private constructor();
    readonly state: PermissionState;
    /** A part of it is denied. */
    readonly partial: boolean;
    onchange: ((this: PermissionStatus, event: Event) => unknown) | null;
  }

  class Permissions {
    private constructor();
    query(descriptor: PermissionDescriptor): Promise<PermissionStatus>;
    querySync(descriptor: PermissionDescriptor): PermissionStatus;
    /** Asks on the terminal. */
    request(descriptor: PermissionDescriptor): Promise<PermissionStatus>;
    requestSync(descriptor: PermissionDescriptor): PermissionStatus;
    revoke(descriptor: PermissionDescriptor): Promise<PermissionStatus>;
    revokeSync(descriptor: PermissionDescriptor): PermissionStatus;
  }

  const permissions: Permissions;

  interface PermissionOptionsObject {
    env?: "inherit" | boolean | string[];
    ffi?: "inherit" | boolean | (string | URL)[];
    import?: "inherit" | boolean | string[];
    net?: "inherit" | boolean | string[];
    read?: "inherit" | boolean | (string | URL)[];
    run?: "inherit" | boolean | (string | URL)[];
    sys?: "inherit" | boolean | string[];
    write?: "inherit" | boolean | (string | URL)[];
  }

  type PermissionOptions = "inherit" | "none" | PermissionOptionsObject;

  // -------------------------------------------------------------------------
  // Standard streams and the terminal
  // -------------------------------------------------------------------------

  interface SetRawOptions {
    /** Ctrl+C still raises SIGINT. Default false. */
    cbreak?: boolean;
  }

  const stdin: Reader & {
    readonly rid: number;
    readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
    readSync(buffer: Uint8Array): number | null;
    close(): void;
    isTerminal(): boolean;
    setRaw(mode: boolean, options?: SetRawOptions): void;
  };

  interface Output extends Writer {
    readonly rid: number;
    readonly writable: WritableStream<Uint8Array>;
    writeSync(data: Uint8Array): number;
    close(): void;
    isTerminal(): boolean;
  }

  const stdout: Output;
  const stderr: Output;

  function consoleSize(): { columns: number; rows: number };
  function isatty(rid: number): boolean;

  // -------------------------------------------------------------------------
  // Files. Each function needs the permission to read or write its paths.
  // -------------------------------------------------------------------------

  interface OpenOptions {
    /** Default true, where no other option is given. */
    read?: boolean;
    write?: boolean;
    append?: boolean;
    /** Empties the file. Needs `write`. */
    truncate?: boolean;
    create?: boolean;
    /** Fails where there is a file. */
    createNew?: boolean;
    mode?: number;
  }

  enum SeekMode {
    Start = 0,
    Current = 1,
    End = 2,
  }

  class FsFile implements Reader, Writer, Disposable {
    private constructor();
    readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
    readonly writable: WritableStream<Uint8Array>;
    read(buffer: Uint8Array): Promise<number | null>;
    readSync(buffer: Uint8Array): number | null;
    write(data: Uint8Array): Promise<number>;
    writeSync(data: Uint8Array): number;
    truncate(length?: number): Promise<void>;
    truncateSync(length?: number): void;
    seek(offset: number | bigint, whence: SeekMode): Promise<number>;
    seekSync(offset: number | bigint, whence: SeekMode): number;
    stat(): Promise<FileInfo>;
    statSync(): FileInfo;
    sync(): Promise<void>;
    syncSync(): void;
    syncData(): Promise<void>;
    syncDataSync(): void;
    utime(atime: number | Date, mtime: number | Date): Promise<void>;
    utimeSync(atime: number | Date, mtime: number | Date): void;
    lock(exclusive?: boolean): Promise<void>;
    lockSync(exclusive?: boolean): void;
    tryLock(exclusive?: boolean): Promise<boolean>;
    tryLockSync(exclusive?: boolean): boolean;
    unlock(): Promise<void>;
    unlockSync(): void;
    isTerminal(): boolean;
    setRaw(mode: boolean, options?: SetRawOptions): void;
    close(): void;
    [Symbol.dispose](): void;
  }

  interface FileInfo {
    isFile: boolean;
    isDirectory: boolean;
    isSymlink: boolean;
    size: number;
    mtime: Date | null;
    atime: Date | null;
    birthtime: Date | null;
    ctime: Date | null;
    dev: number;
    ino: number | null;
    mode: number | null;
    nlink: number | null;
    uid: number | null;
    gid: number | null;
    rdev: number | null;
    blksize: number | null;
    blocks: number | null;
    isBlockDevice: boolean | null;
    isCharDevice: boolean | null;
    isFifo: boolean | null;
    isSocket: boolean | null;
  }

  interface DirEntry {
    name: string;
    isFile: boolean;
    isDirectory: boolean;
    isSymlink: boolean;
  }

  interface WriteFileOptions {
    append?: boolean;
    /** Default true. */
    create?: boolean;
    createNew?: boolean;
    mode?: number;
    signal?: AbortSignal;
  }

  interface MakeTempOptions {
    dir?: string;
    prefix?: string;
    suffix?: string;
  }

  type Path = string | URL;

  function open(path: Path, options?: OpenOptions): Promise<FsFile>;
  function openSync(path: Path, options?: OpenOptions): FsFile;
  function create(path: Path): Promise<FsFile>;
  function createSync(path: Path): FsFile;
  function readFile(
    path: Path,
    options?: { signal?: AbortSignal },
  ): Promise<Uint8Array<ArrayBuffer>>;
  function readFileSync(path: Path): Uint8Array<ArrayBuffer>;
  function readTextFile(
    path: Path,
    options?: { signal?: AbortSignal },
  ): Promise<string>;
  function readTextFileSync(path: Path): string;
  function writeFile(
    path: Path,
    data: Uint8Array | ReadableStream<Uint8Array>,
    options?: WriteFileOptions,
  ): Promise<void>;
  function writeFileSync(
    path: Path,
    data: Uint8Array,
    options?: WriteFileOptions,
  ): void;
  function writeTextFile(
    path: Path,
    data: string | ReadableStream<string>,
    options?: WriteFileOptions,
  ): Promise<void>;
  function writeTextFileSync(
    path: Path,
    data: string,
    options?: WriteFileOptions,
  ): void;
  function stat(path: Path): Promise<FileInfo>;
  function statSync(path: Path): FileInfo;
  function lstat(path: Path): Promise<FileInfo>;
  function lstatSync(path: Path): FileInfo;
  function readDir(path: Path): AsyncIterable<DirEntry>;
  function readDirSync(path: Path): IteratorObject<DirEntry>;
  function readLink(path: Path): Promise<string>;
  function readLinkSync(path: Path): string;
  function realPath(path: Path): Promise<string>;
  function realPathSync(path: Path): string;
  function mkdir(
    path: Path,
    options?: { recursive?: boolean; mode?: number },
  ): Promise<void>;
  function mkdirSync(
    path: Path,
    options?: { recursive?: boolean; mode?: number },
  ): void;
  function makeTempDir(options?: MakeTempOptions): Promise<string>;
  function makeTempDirSync(options?: MakeTempOptions): string;
  function makeTempFile(options?: MakeTempOptions): Promise<string>;
  function makeTempFileSync(options?: MakeTempOptions): string;
  function remove(path: Path, options?: { recursive?: boolean }): Promise<void>;
  function removeSync(path: Path, options?: { recursive?: boolean }): void;
  function rename(from: Path, to: Path): Promise<void>;
  function renameSync(from: Path, to: Path): void;
  function copyFile(from: Path, to: Path): Promise<void>;
  function copyFileSync(from: Path, to: Path): void;
  function link(from: string, to: string): Promise<void>;
  function linkSync(from: string, to: string): void;
  function symlink(
    target: Path,
    path: Path,
    options?: { type: "file" | "dir" | "junction" },
  ): Promise<void>;
  function symlinkSync(
    target: Path,
    path: Path,
    options?: { type: "file" | "dir" | "junction" },
  ): void;
  function truncate(path: string, length?: number): Promise<void>;
  function truncateSync(path: string, length?: number): void;
  function chmod(path: Path, mode: number): Promise<void>;
  function chmodSync(path: Path, mode: number): void;
  function chown(
    path: Path,
    uid: number | null,
    gid: number | null,
  ): Promise<void>;
  function chownSync(path: Path, uid: number | null, gid: number | null): void;
  function utime(
    path: Path,
    atime: number | Date,
    mtime: number | Date,
  ): Promise<void>;
  function utimeSync(
    path: Path,
    atime: number | Date,
    mtime: number | Date,
  ): void;
  function chdir(path: Path): void;
  function cwd(): string;

  // -------------------------------------------------------------------------
  // Errors
  // -------------------------------------------------------------------------

  namespace errors {
    class AddrInUse extends Error {}
    class AddrNotAvailable extends Error {}
    class AlreadyExists extends Error {}
    class BadResource extends Error {}
    class BrokenPipe extends Error {}
    class Busy extends Error {}
    class ConnectionAborted extends Error {}
    class ConnectionRefused extends Error {}
    class ConnectionReset extends Error {}
    class FilesystemLoop extends Error {}
    class Http extends Error {}
    class Interrupted extends Error {}
    class InvalidData extends Error {}
    class IsADirectory extends Error {}
    class NetworkUnreachable extends Error {}
    /** A permission is missing. */
    class NotCapable extends Error {}
    class NotADirectory extends Error {}
    class NotConnected extends Error {}
    class NotFound extends Error {}
    class NotSupported extends Error {}
    /** The system denies it. */
    class PermissionDenied extends Error {}
    class TimedOut extends Error {}
    class UnexpectedEof extends Error {}
    class WouldBlock extends Error {}
    class WriteZero extends Error {}
  }
}
