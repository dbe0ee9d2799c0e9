// What programs for duplex have beyond the web's API, for TypeScript 5.7 or newer.
//
//     duplex types > duplex.d.ts
//
// and in tsconfig.json, or in the deno.json that an editor reads:
//
//     "compilerOptions": {
//       "lib": ["dom", "esnext"],
//       "types": ["./duplex.d.ts"],
//       "moduleDetection": "force"
//     }
//
// lib.dom has the web's part, and its `WebSocket` gets here what duplex adds. One
// thing cannot be added to it from outside: a constructor that takes options. A
// module that dials with them declares it, at no cost when it runs:
//
//     declare const WebSocket: Deno.WebSocketConstructor;
//
// What there is of Node.js (`node:` modules, `Buffer`, `process`) is described by the
// package @types/node: "types": ["./duplex.d.ts", "node"].

// ---------------------------------------------------------------------------
// WebSocket
// ---------------------------------------------------------------------------

/** What `send`, `ping`, `pong` and `publish` take. */
type WebSocketData = string | ArrayBufferLike | ArrayBufferView;

/** What duplex adds to the events of a `WebSocket`. */
interface WebSocketEventMap {
  /** See {@linkcode WebSocket.ondrain}. */
  drain: Event;
  /** See {@linkcode WebSocket.onping}. */
  ping: MessageEvent<ArrayBuffer>;
  /** See {@linkcode WebSocket.onpong}. */
  pong: MessageEvent<ArrayBuffer>;
}

/** What duplex adds to the `WebSocket` of browsers. */
interface WebSocket {
  /**
   * Sends a message. The `send` of a server's socket says what became of it.
   *
   * @throws {DOMException} InvalidStateError while the socket is connecting
   */
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
   * Starts the close handshake, behind the messages that were sent.
   *
   * @param code 1000, or one from 3000 to 4999
   * @param reason at most 123 bytes in UTF-8
   * @throws {DOMException} InvalidAccessError for another code; SyntaxError for a
   *   reason that is too long
   */
  close(code?: number, reason?: string): void;
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

/** The second argument of `new WebSocketStream`. */
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

/** The constructor of {@linkcode WebSocketStream}. */
// deno-lint-ignore no-var
declare var WebSocketStream: {
  /** The object from which all instances inherit. */
  readonly prototype: WebSocketStream;
  /**
   * Dials. Needs the permission to net.
   *
   * @param url of scheme ws, wss, http or https, without a fragment
   * @throws {DOMException} SyntaxError for another URL, or bad protocols
   */
  new (url: string | URL, options?: WebSocketStreamOptions): WebSocketStream;
};

/** The reason why a {@linkcode WebSocketStream} ended. */
interface WebSocketError extends DOMException {
  /** The code of the peer's Close frame, 1006 without one; null of an own error. */
  readonly closeCode: number | null;
  /** The reason of the peer's Close frame; empty without one. */
  readonly reason: string;
}

/** The reason why a {@linkcode WebSocketStream} ended. */
// deno-lint-ignore no-var
declare var WebSocketError: {
  /** The object from which all instances inherit. */
  readonly prototype: WebSocketError;
  /** Aborting a writable, or cancelling a readable, closes with its code and reason. */
  new (message?: string, init?: WebSocketCloseInfo): WebSocketError;
};

// ---------------------------------------------------------------------------
// Other things of the web that take more here
// ---------------------------------------------------------------------------

/** What duplex adds to the options of `fetch`. */
interface RequestInit {
  /** The client to fetch with, of `Deno.createHttpClient`. */
  client?: Deno.HttpClient;
}

/** What duplex adds to the options of `new Worker`. */
interface WorkerOptions {
  /** Options that browsers do not have. */
  deno?: {
    /**
     * What the worker may do: as its owner ("inherit", the default), nothing
     * ("none"), or this much of what its owner may.
     */
    permissions?: Deno.PermissionOptions;
  };
}

/** What `import.meta` has: see {@linkcode Deno.ModuleMeta}. */
interface ImportMeta extends Deno.ModuleMeta {}

/** What programs have beyond the web's API. The names are those of Deno. */
declare namespace Deno {
  // -------------------------------------------------------------------------
  // Modules
  // -------------------------------------------------------------------------

  /**
   * What `import.meta` has. It is an interface of its own, so that it goes together with what
   * other packages of types declare.
   */
  interface ModuleMeta {
    /** The module's URL. */
    url: string;
    /** Whether the module is the program. */
    main: boolean;
    /** The path of the module's file. Undefined for a module that is in no file. */
    filename?: string;
    /** The path of the folder of that file. Undefined for a module that is in no file. */
    dirname?: string;
    /** The URL that an import of `specifier` in this module loads. */
    resolve(specifier: string): string;
  }

  // -------------------------------------------------------------------------
  // Addresses
  // -------------------------------------------------------------------------

  /** The address of a TCP or UDP socket. */
  interface NetAddr {
    /** The protocol. */
    transport: "tcp" | "udp";
    /** The IP address, or the name that was asked for. */
    hostname: string;
    /** The port. */
    port: number;
  }

  /** The address of a unix socket. */
  interface UnixAddr {
    /** The kind of unix socket: a stream, or packets. */
    transport: "unix" | "unixpacket";
    /** The path of the socket's file. */
    path: string;
  }

  /** The address of a vsock socket, between a virtual machine and its host. */
  interface VsockAddr {
    /** The protocol. */
    transport: "vsock";
    /** The number of the machine. 2 is the host. */
    cid: number;
    /** The port. */
    port: number;
  }

  /** Any address. */
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
    /** The object from which all instances inherit. */
    readonly prototype: WebSocket;
    /** The `readyState` before the connection is open. */
    readonly CONNECTING: 0;
    /** The `readyState` of an open connection. */
    readonly OPEN: 1;
    /** The `readyState` during the close handshake. */
    readonly CLOSING: 2;
    /** The `readyState` of a connection that has ended. */
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

  /** The second argument of {@linkcode Deno.upgradeWebSocket}. */
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
    /**
     * The `Socket` that the event `upgrade` of a `node:http` server gives. The handshake of
     * the request is answered on it, and the socket is lost to the script. The response is
     * for nobody then. It must be a socket of TCP, without TLS.
     */
    socket?: object;
    /** The third argument of that event: what the client sent behind its request. */
    head?: Uint8Array;
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
    /** The address of the client, or of the proxy in front of it. */
    readonly remoteAddr: NetAddr | UnixAddr;
    /** The topics it is subscribed to. */
    readonly subscriptions: string[];
    /**
     * Subscribes to the topic: what is published to it reaches this socket. Returns false if
     * the socket was subscribed already, is closed, or exceeds a limit.
     */
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
    /** Ends the subscription to the topic. Returns false if there was none. */
    unsubscribe(topic: string): boolean;
    /** Whether the socket is subscribed to the topic. */
    isSubscribed(topic: string): boolean;
    /**
     * Sends to all subscribers of the topic but this one. Returns, for those in this
     * event loop, the length of the message in bytes, -1 where one has backpressure, 0
     * where nobody took it.
     */
    publish(topic: string, data: WebSocketData): number;
  }

  /** What {@linkcode Deno.upgradeWebSocket} returns. */
  interface WebSocketUpgrade {
    /** The socket. It opens when the handler has returned the response. */
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

  /** What {@linkcode Deno.upgradeWebSocketStream} returns. */
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

  /** What a handler knows of a request beside the request itself. */
  interface ServeHandlerInfo<Address extends Addr = NetAddr> {
    /** The address of the client, or of the proxy in front of it. */
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
      /** Answers requests. */
      handler: ServeHandler<Address>;
      /** Answers requests. */
      fetch?: undefined;
      /** Handlers of sockets need the form {@linkcode SocketHandlers}. */
      websocket?: undefined;
    }
    | {
      /** Answers requests. */
      fetch: ServeHandler<Address>;
      /** Answers requests. */
      handler?: undefined;
      /** Handlers of sockets need the form {@linkcode SocketHandlers}. */
      websocket?: undefined;
    };

  /** The options of all forms of {@linkcode Deno.serve}. */
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

  /** With whom a server has its topics in common, and how long messages are kept. */
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

  /** What `subscribe` with `since` resolves with. */
  interface TopicRecovery {
    /** Whether all that was missed has been sent. Else nothing of it was. */
    recovered: boolean;
    /** That of the last message so far. Null where the socket is closed. */
    position: TopicPosition | null;
  }

  /** How the connection to a broker is. */
  interface BrokerStatus {
    /** Whether there is a connection to the broker. */
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
    /** Requests for a WebSocket that were refused, by the status. */
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

  /** The options of `publish`. */
  interface PublishOptions {
    /** Sends to the sockets of this process only. */
    local?: boolean;
    /**
     * False leaves the message as it is, for the subscribers of this event loop. By default
     * `perMessageDeflate` decides.
     */
    compress?: boolean;
  }

  /** The options of {@linkcode Deno.serve} on a port. */
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

  /** The options of {@linkcode Deno.serve} on a unix socket. */
  interface ServeUnixOptions extends ServeOptions<UnixAddr> {
    /**
     * The path of the socket. Needs the permissions to read and write it, and to net for
     * `unix:PATH`.
     */
    path: string;
  }

  /** What {@linkcode Deno.serve} returns. */
  interface HttpServer<Address extends Addr = NetAddr> extends AsyncDisposable {
    /** Where the server listens. */
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
  /** Serves HTTP/1.1 and HTTP/2. Needs the permission to net. */
  function serve(
    options: ServeUnixOptions,
    handler: ServeHandler<UnixAddr>,
  ): HttpServer<UnixAddr>;
  /** Serves HTTP/1.1 and HTTP/2. Needs the permission to net. */
  function serve(
    options: ServeTcpOptions,
    handler: ServeHandler<NetAddr>,
  ): HttpServer<NetAddr>;
  /** Serves HTTP/1.1 and HTTP/2. Needs the permission to net. */
  function serve(
    options: ServeUnixOptions & RequestHandler<UnixAddr>,
  ): HttpServer<UnixAddr>;
  /** Serves HTTP/1.1 and HTTP/2. Needs the permission to net. */
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
  /** Serves HTTP/1.1 and HTTP/2. Needs the permission to net. */
  function serve<Data = undefined>(
    options: ServeTcpOptions & SocketHandlers<Data, NetAddr>,
  ): WebSocketServer<Data, NetAddr>;

  /** What `upgrade` may be told. `data` may be left out where there need be none. */
  type UpgradeArguments<Data> = undefined extends Data
    ? [options?: UpgradeOptions<Data>]
    : [options: UpgradeOptions<Data> & { data: Data }];

  /** The second argument of `upgrade`. */
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
    /** Where the server listens, as a URL. */
    readonly url: URL;
    /** The option `id`, or an empty string. */
    readonly id: string;
    /** Always false: there is no development mode. */
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
    /** Lets the server keep the program alive, as it does by default. */
    ref(): void;
    /** Lets the program end although the server runs. */
    unref(): void;
  }

  /** What {@linkcode Deno.serve} returns in the form with handlers of sockets. */
  interface WebSocketServer<Data = undefined, Address extends Addr = NetAddr>
    extends
      HttpServer<Address>,
      WebSocketUpgrader<Data>,
      HandlerServer<Data, Address> {
    /** Lets the server keep the program alive, as it does by default. */
    ref(): void;
    /** Lets the program end although the server runs. */
    unref(): void;
  }

  /** The second argument of `fetch` in the form with handlers of sockets. */
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

  /** A handler of a route. */
  type RouteHandler<Data = undefined, Address extends Addr = NetAddr> =
    | Response
    | ((
      request: RouteRequest,
      info: FetchHandlerInfo<Data, Address>,
    ) => Response | undefined | void | Promise<Response | undefined | void>);

  /**
   * What answers a path. A path without parameters comes before one with parameters (`/users/:id`), and
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
    /** What answers the paths. */
    routes?: Routes<Data, Address>;
    /** Another name of `onError`. */
    error?: (error: Error) => Response | Promise<Response>;
    /** A certificate and its key, in PEM. */
    tls?: false | { cert: Pem; key: Pem } | [{ cert: Pem; key: Pem }];
    /** Another name of `path`. */
    unix?: string;
    /** What `server.id` says. Default: an empty string. */
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
    /** How many bytes wait to be sent, like `bufferedAmount`. */
    getBufferedAmount(): number;
    /** Calls the function, and returns what it returns. */
    cork<Result>(callback: (ws: HandlerWebSocket<Data>) => Result): Result;
    /**
     * As the socket's `send` of events. False for `compress` leaves this message as it is;
     * otherwise `perMessageDeflate` decides. A Blob is left to that option.
     */
    send(data: WebSocketData | Blob, compress?: boolean): number;
    /** Like `send`, for a string. */
    sendText(text: string, compress?: boolean): number;
    /** Like `send`, for bytes. */
    sendBinary(bytes: BufferSource, compress?: boolean): number;
    /** As the socket's `publish` of events, with `compress` as in `send`. */
    publish(topic: string, data: WebSocketData, compress?: boolean): number;
    /** Like `publish`, for a string. */
    publishText(topic: string, text: string, compress?: boolean): number;
    /** Like `publish`, for bytes. */
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

  /** A server with handlers of sockets. */
  interface SocketHandlers<Data = undefined, Address extends Addr = NetAddr>
    extends HandlerOptions<Data, Address> {
    /** Answers requests. */
    fetch: FetchHandler<Data, Address>;
    /** The handlers of sockets, and the options of sockets. */
    websocket: WebSocketHandler<Data>;
  }

  /** What happens on sockets, and their options. A handler may be asynchronous. */
  interface WebSocketHandler<Data = undefined> extends ServerWebSocketOptions {
    /** `ws.publish` reaches the socket itself too, if it subscribes. Default false. */
    publishToSelf?: boolean;
    /** As in Bun it is for the type of sockets' data, and no value. */
    data?: Data;
    /** The socket is open. */
    open?(ws: HandlerWebSocket<Data>): unknown;
    /** A message: a text is a string. */
    message?(ws: HandlerWebSocket<Data>, data: string | ArrayBuffer): unknown;
    /** See {@linkcode WebSocket.ondrain}. */
    drain?(ws: HandlerWebSocket<Data>): unknown;
    /** The last call for a socket. The code is 1006 where there was no Close frame. */
    close?(ws: HandlerWebSocket<Data>, code: number, reason: string): unknown;
    /** A ping has come, and was answered. */
    ping?(ws: HandlerWebSocket<Data>, data: ArrayBuffer): unknown;
    /** A pong has come. */
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
       * and a thread of its own; true is one for each core. `--parallel` takes precedence.
       */
      parallel?: boolean | number;
      /** Answers requests. */
      fetch: FetchHandler<Data, Address>;
      /** The handlers of sockets, and the options of sockets. */
      websocket?: WebSocketHandler<Data>;
    };

  // -------------------------------------------------------------------------
  // Deno.serveHttp, as Deno had it until 2.0
  // -------------------------------------------------------------------------

  /** A request, and the function that answers it. */
  interface RequestEvent {
    /** The request. */
    readonly request: Request;
    /** Resolves when the response is sent; rejects with what `response` threw. */
    respondWith(response: Response | Promise<Response>): Promise<void>;
  }

  /** The requests of one connection. */
  interface HttpConn extends AsyncIterableIterator<RequestEvent>, Disposable {
    /** The number of the resource. */
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

  /** A name and a password. */
  interface BasicAuth {
    /** The name. */
    username: string;
    /** The password. */
    password: string;
  }

  /** The proxy that a client connects through. */
  type Proxy =
    | {
      /** The protocol that is spoken with the proxy. */
      transport?: "http" | "https" | "socks5";
      /** Of scheme http, https, socks5 or socks5h. */
      url: string;
      /** The credentials for the proxy. */
      basicAuth?: BasicAuth;
    }
    | { transport: "tcp"; hostname: string; port: number }
    | { transport: "unix"; path: string }
    | { transport: "vsock"; cid: number; port: number };

  /** A certificate and its private key. */
  interface TlsCertifiedKeyPem {
    /** The format of both. There is only PEM. */
    keyFormat?: "pem";
    /** A chain of certificates, in PEM. */
    cert: string;
    /** The private key of the first one, in PEM. */
    key: string;
  }

  /** The options of {@linkcode Deno.createHttpClient}. */
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
    /** Closes the client. Requests and sockets that use it go on. */
    close(): void;
    [Symbol.dispose](): void;
  }

  /** @throws {TypeError} for a proxy or a certificate that cannot be used */
  function createHttpClient(options: CreateHttpClientOptions): HttpClient;

  // -------------------------------------------------------------------------
  // Sockets of the transport
  // -------------------------------------------------------------------------

  /** What can be read from. */
  interface Reader {
    /** Resolves with the number of bytes that were read, null at the end. */
    read(buffer: Uint8Array): Promise<number | null>;
  }

  /** What can be written to. */
  interface Writer {
    /** Resolves with the number of bytes that were written. */
    write(data: Uint8Array): Promise<number>;
  }

  /** A connection. */
  interface Conn<Address extends Addr = Addr>
    extends Reader, Writer, Disposable {
    /** The address of this end. */
    readonly localAddr: Address;
    /** The address of the other end. */
    readonly remoteAddr: Address;
    /** What comes in, as a stream. */
    readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
    /** What goes out, as a stream. */
    readonly writable: WritableStream<Uint8Array>;
    /** Closes the connection at once. */
    close(): void;
    /** Sends the end, and goes on reading. */
    closeWrite(): Promise<void>;
    /** Lets pending reads keep the program alive, as they do by default. */
    ref(): void;
    /** Lets the program end although reads are pending. */
    unref(): void;
  }

  /** A connection over TCP. */
  interface TcpConn extends Conn<NetAddr> {
    /** Whether small writes are sent at once (TCP_NODELAY). */
    setNoDelay(noDelay?: boolean): void;
    /** Whether the system tests an idle connection (SO_KEEPALIVE). */
    setKeepAlive(keepAlive?: boolean): void;
  }

  /** A connection over a unix socket. */
  interface UnixConn extends Conn<UnixAddr> {}

  /** A connection over vsock. */
  interface VsockConn extends Conn<VsockAddr> {}

  /** A connection over TLS. */
  interface TlsConn extends Conn<NetAddr> {
    /** Resolves when the handshake is through. Reading and writing wait for it too. */
    handshake(): Promise<TlsHandshakeInfo>;
  }

  /** What the TLS handshake agreed on. */
  interface TlsHandshakeInfo {
    /** What ALPN agreed on. */
    alpnProtocol: string | null;
  }

  /** Accepts connections. It is an async iterable of them. */
  interface Listener<
    Connection extends Conn = Conn,
    Address extends Addr = Addr,
  > extends AsyncIterable<Connection>, Disposable {
    /** Where it listens. */
    readonly addr: Address;
    /** @throws {Deno.errors.BadResource} when the listener is closed */
    accept(): Promise<Connection>;
    /** Accepts no more. Open connections stay open. */
    close(): void;
    /** Lets a pending `accept` keep the program alive, as it does by default. */
    ref(): void;
    /** Lets the program end although an `accept` is pending. */
    unref(): void;
    [Symbol.asyncIterator](): AsyncIterableIterator<Connection>;
  }

  /** The options of {@linkcode Deno.listen} for TCP. */
  interface TcpListenOptions {
    /** Default 0: the system chooses. */
    port?: number;
    /** Default "0.0.0.0". */
    hostname?: string;
    /** Shares the port with other listeners that say so. */
    reusePort?: boolean;
    /** Connections that wait to be accepted. Default 511. */
    tcpBacklog?: number;
  }

  /** A unix socket. */
  interface UnixOptions {
    /** The protocol. */
    transport: "unix";
    /** The path of the socket's file. */
    path: string;
  }

  /** A vsock socket. */
  interface VsockOptions {
    /** The protocol. */
    transport: "vsock";
    /** The number of the machine. 2 is the host. */
    cid: number;
    /** The port. */
    port: number;
  }

  /** Listens for connections. Needs the permission to net. */
  function listen(
    options: TcpListenOptions & { transport?: "tcp" },
  ): Listener<TcpConn, NetAddr>;
  /** Listens for connections. Needs the permission to net. */
  function listen(options: UnixOptions): Listener<UnixConn, UnixAddr>;
  /** Listens for connections. Needs the permission to net. */
  function listen(options: VsockOptions): Listener<VsockConn, VsockAddr>;

  /** Listens for connections over TLS. Needs the permission to net. */
  function listenTls(
    options: TcpListenOptions & TlsCertifiedKeyPem & {
      transport?: "tcp";
      alpnProtocols?: string[];
    },
  ): Listener<TlsConn, NetAddr>;

  /** The options of {@linkcode Deno.connect} for TCP. */
  interface ConnectOptions {
    /** The port to connect to. */
    port: number;
    /** Default "127.0.0.1". */
    hostname?: string;
    /** The protocol. */
    transport?: "tcp";
    /** Gives up connecting. */
    signal?: AbortSignal;
    /** Tries addresses of IPv6 and IPv4 side by side. Default true. */
    autoSelectFamily?: boolean;
    /** Milliseconds between two tries. Default 250. */
    autoSelectFamilyAttemptDelay?: number;
  }

  /** Connects. Needs the permission to net. */
  function connect(options: ConnectOptions): Promise<TcpConn>;
  /** Connects. Needs the permission to net. */
  function connect(options: UnixOptions): Promise<UnixConn>;
  /** Connects. Needs the permission to net. */
  function connect(options: VsockOptions): Promise<VsockConn>;

  /** The options of {@linkcode Deno.startTls}. */
  interface StartTlsOptions {
    /** The name in the peer's certificate. Default "127.0.0.1". */
    hostname?: string;
    /** Authorities to trust as well, in PEM. */
    caCerts?: string[];
    /** The protocols to offer by ALPN, the preferred one first. */
    alpnProtocols?: string[];
    /** Takes a certificate of another name. Dangerous. */
    unsafelyDisableHostnameVerification?: boolean;
  }

  /** The options of {@linkcode Deno.connectTls}. */
  interface ConnectTlsOptions
    extends StartTlsOptions, Partial<TlsCertifiedKeyPem> {
    /** The port to connect to. */
    port: number;
    /** The protocol. */
    transport?: "tcp";
    /** Whether to try the addresses of IPv6 and of IPv4 in turn. */
    autoSelectFamily?: boolean;
    /** Milliseconds between two such attempts. */
    autoSelectFamilyAttemptDelay?: number;
  }

  /** Connects over TLS. Needs the permission to net. */
  function connectTls(options: ConnectTlsOptions): Promise<TlsConn>;
  /** Speaks TLS on a connection, which is lost to the caller. */
  function startTls(conn: TcpConn, options?: StartTlsOptions): Promise<TlsConn>;

  /** The options of {@linkcode Deno.resolveDns}. */
  interface ResolveDnsOptions {
    /** The server to ask. Default: the servers of the system. */
    nameServer?: { ipAddr: string; port?: number };
    /** Gives up the look-up. */
    signal?: AbortSignal;
  }

  /** The records of the DNS, by type. */
  interface DnsRecords {
    /** An IPv4 address. */
    A: string;
    /** An IPv6 address. */
    AAAA: string;
    /** A name that the name stands for. */
    ANAME: string;
    /** Which authority may issue certificates for the name. */
    CAA: { critical: boolean; tag: string; value: string };
    /** The canonical name. */
    CNAME: string;
    /** A server that takes mail. A lower preference goes first. */
    MX: { preference: number; exchange: string };
    /** A rule that rewrites the name (RFC 3403). */
    NAPTR: {
      /** The order in which the rules apply. */
      order: number;
      /** The order among rules of the same order. */
      preference: number;
      /** How to go on with the result. */
      flags: string;
      /** The services that the rule is for. */
      services: string;
      /** The expression that rewrites the name. */
      regexp: string;
      /** The next name to look up. */
      replacement: string;
    };
    /** A name server of the zone. */
    NS: string;
    /** A name that an address stands for. */
    PTR: string;
    /** Facts about the zone. */
    SOA: {
      /** The first name server of the zone. */
      mname: string;
      /** The mail address of whoever is responsible, with a dot for the @. */
      rname: string;
      /** The version of the zone. */
      serial: number;
      /** Seconds until a secondary server asks again. */
      refresh: number;
      /** Seconds until it tries again after a failure. */
      retry: number;
      /** Seconds after which it stops answering. */
      expire: number;
      /** Seconds for which a name that does not exist may be remembered. */
      minimum: number;
    };
    /** A host and a port that offer a service. */
    SRV: { priority: number; weight: number; port: number; target: string };
    /** Text, in parts. */
    TXT: string[];
  }

  /** Looks up records of the DNS. Needs the permission to net for the server that it asks. */
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
  /** The number of this process. */
  const pid: number;
  /** The number of the parent of this process. */
  const ppid: number;
  /** The user wants no colours. */
  const noColor: boolean;
  /** What the process exits with where `exit` is not told. Default 0. */
  let exitCode: number;

  /** The platform that duplex was built for. */
  const build: {
    /** The platform, such as `x86_64-unknown-linux-gnu`. */
    readonly target: string;
    /** The processor: `x86_64` or `aarch64`. */
    readonly arch: string;
    /** The operating system: `linux` or `darwin`. */
    readonly os: string;
    /** The vendor of the platform. */
    readonly vendor: string;
    /** The C library, such as `gnu`. */
    readonly env?: string;
  };

  /** The versions of duplex and of its parts. */
  const version: {
    /** The release of Deno whose behaviour is the reference. */
    readonly deno: string;
    /** The version of V8. */
    readonly v8: string;
    /** The version of TypeScript that is understood. */
    readonly typescript: string;
    /** The version of duplex. */
    readonly duplex: string;
    /** The JavaScript engine that runs the program. */
    readonly engine: "v8" | "quickjs";
  };

  /** The environment variables. Each call needs the permission to env. */
  interface Env {
    /** The value of the variable, or undefined. */
    get(name: string): string | undefined;
    /** Sets the variable, for this process and those that it starts. */
    set(name: string, value: string): void;
    /** Removes the variable. */
    delete(name: string): void;
    /** Whether there is such a variable. */
    has(name: string): boolean;
    /** All variables as an object. It is a copy. */
    toObject(): Record<string, string>;
  }

  /** The environment. Needs the permission to env. */
  const env: Env;

  /** Dispatches `unload`, then ends the process, or the worker that calls it. */
  function exit(code?: number): never;
  /** The path of duplex's binary. Needs no permission. */
  function execPath(): string;
  /** The name of this machine. Needs the permission to sys. */
  function hostname(): string;
  /** The release of the operating system. Needs the permission to sys. */
  function osRelease(): string;
  /** Seconds since the system started. */
  function osUptime(): number;
  /** The last 1, 5 and 15 minutes'. */
  function loadavg(): [number, number, number];
  /** The number of the user that the process runs as, or null. Needs the permission to sys. */
  function uid(): number | null;
  /** The number of the group that the process runs as, or null. Needs the permission to sys. */
  function gid(): number | null;
  /**
   * The umask of the process. With an argument, sets it and returns the one before. Needs
   * the permission to sys.
   */
  function umask(mask?: number): number;

  /** The memory of the machine, in bytes. */
  interface SystemMemoryInfo {
    /** All memory. */
    total: number;
    /** Memory that nothing uses. */
    free: number;
    /** Memory that programs can get without swapping. */
    available: number;
    /** Memory in buffers of the kernel. */
    buffers: number;
    /** Memory in the kernel's cache of files. */
    cached: number;
    /** All swap space. */
    swapTotal: number;
    /** Swap space that nothing uses. */
    swapFree: number;
  }

  /** In bytes. */
  function systemMemoryInfo(): SystemMemoryInfo;

  /** The memory of this process, in bytes. */
  interface MemoryUsage {
    /** What the process has in the machine's memory. */
    rss: number;
    /** The size of the JavaScript heap. */
    heapTotal: number;
    /** The part of the JavaScript heap that is used. */
    heapUsed: number;
    /** Memory that JavaScript objects hold outside of the heap. */
    external: number;
  }

  /** The process's, in bytes. */
  function memoryUsage(): MemoryUsage;
  /** The process's, in microseconds. */
  function cpuUsage(): { user: number; system: number };

  /** An address of a network interface. */
  interface NetworkInterfaceInfo {
    /** The version of IP. */
    family: "IPv4" | "IPv6";
    /** The name of the interface, such as `eth0`. */
    name: string;
    /** The IP address. */
    address: string;
    /** The mask of the network. */
    netmask: string;
    /** The scope of an IPv6 address; null of IPv4. */
    scopeid: number | null;
    /** The address with the length of the network, such as `10.0.0.2/24`. */
    cidr: string;
    /** The hardware address. */
    mac: string;
  }

  /** The addresses of this machine. Needs the permission to sys. */
  function networkInterfaces(): NetworkInterfaceInfo[];

  /** The name of a signal, such as `SIGTERM`. */
  type Signal = `SIG${string}`;

  /**
   * Calls `listener` when the process receives the signal. The signal's default action, for
   * example ending the process, no longer happens.
   */
  function addSignalListener(signal: Signal, listener: () => void): void;
  /** Removes a listener that {@linkcode Deno.addSignalListener} added. */
  function removeSignalListener(signal: Signal, listener: () => void): void;

  /** The options of {@linkcode Deno.Command}. */
  interface CommandOptions {
    /** The arguments of the program. */
    args?: string[];
    /** The folder that the program starts in. Default: that of this process. */
    cwd?: string | URL;
    /** Whether the program gets `env` only, and not the variables of this process. */
    clearEnv?: boolean;
    /** Environment variables to set for the program. */
    env?: Record<string, string>;
    /** The number of the user that the program runs as. */
    uid?: number;
    /** The number of the group that the program runs as. */
    gid?: number;
    /** Ends the program with SIGTERM. */
    signal?: AbortSignal;
    /** The program's standard input. Default: `null`; `inherit` for `spawn`. */
    stdin?: "piped" | "inherit" | "null";
    /** The program's standard output. Default: `piped`; `inherit` for `spawn`. */
    stdout?: "piped" | "inherit" | "null";
    /** The program's standard error. Default: `piped`; `inherit` for `spawn`. */
    stderr?: "piped" | "inherit" | "null";
    /** Whether the program leads a process group of its own. */
    detached?: boolean;
  }

  /** How a program ended. */
  interface CommandStatus {
    /** Whether the exit code was 0. */
    success: boolean;
    /** The exit code; 128 plus its number for a signal. */
    code: number;
    /** The signal that ended the program, or null. */
    signal: Signal | null;
  }

  /** How a program ended, and what it wrote. */
  interface CommandOutput extends CommandStatus {
    /** What it wrote to standard output. Throws if that was not `piped`. */
    readonly stdout: Uint8Array;
    /** What it wrote to standard error. Throws if that was not `piped`. */
    readonly stderr: Uint8Array;
  }

  /** A program that was started. */
  class ChildProcess implements AsyncDisposable {
    private constructor();
    /** Its standard input. Throws if that is not `piped`. */
    get stdin(): WritableStream<Uint8Array>;
    /** Its standard output. Throws if that is not `piped`. */
    get stdout(): ReadableStream<Uint8Array>;
    /** Its standard error. Throws if that is not `piped`. */
    get stderr(): ReadableStream<Uint8Array>;
    /** The number of its process. */
    readonly pid: number;
    /** Resolves when it has ended. */
    readonly status: Promise<CommandStatus>;
    /** Resolves with all that it wrote, when it has ended. */
    output(): Promise<CommandOutput>;
    /** Sends it a signal. Default: SIGTERM. */
    kill(signal?: Signal): void;
    /** Lets it keep this program alive, as it does by default. */
    ref(): void;
    /** Lets this program end although the other one runs. */
    unref(): void;
    [Symbol.asyncDispose](): Promise<void>;
  }

  /** A program to run. Needs the permission to run it. */
  class Command {
    /** Names the program. It does not start yet. */
    constructor(command: string | URL, options?: CommandOptions);
    /** Runs the program, and resolves with what it wrote. */
    output(): Promise<CommandOutput>;
    /** The synchronous form of `output`. */
    outputSync(): CommandOutput;
    /** Starts the program, and does not wait. */
    spawn(): ChildProcess;
  }

  /** Starts a program. Needs the permission to run it. */
  function spawn(command: string | URL, options?: CommandOptions): ChildProcess;
  /** Starts a program, and does not wait: `new Deno.Command(…).spawn()`. */
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
  /** Runs a program: `new Deno.Command(…).output()`. */
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
  /** Runs a program: `new Deno.Command(…).outputSync()`. */
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
    /** The files and folders that it is about. */
    paths: string[];
    /** "rescan": events were lost, since more came than were read. Look at the files. */
    flag?: "rescan" | null;
  }

  /** Watches files and folders. It is an async iterable of events. */
  interface FsWatcher extends AsyncIterable<FsEvent>, Disposable {
    /** Stops watching. */
    close(): void;
    /** Resolves with the next event. */
    next(): Promise<IteratorResult<FsEvent>>;
    /** Stops watching, as `break` in a `for await` loop does. */
    return?(value?: unknown): Promise<IteratorResult<FsEvent>>;
    /** Lets the watcher keep the program alive, as it does by default. */
    ref(): void;
    /** Lets the program end although the watcher waits. */
    unref(): void;
    [Symbol.asyncIterator](): AsyncIterableIterator<FsEvent>;
  }

  /** The options of {@linkcode Deno.watchFs}. */
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

  /** The options of {@linkcode Deno.inspect}. */
  interface InspectOptions {
    /** Whether to use the colours of terminals. Default false. */
    colors?: boolean;
    /** How much goes on a line: `true`, `false`, or a number of inner levels. Default 3. */
    compact?: boolean | number;
    /** How many levels of objects are shown. Default 4. */
    depth?: number;
    /** The length after which a line is broken. Default 80. */
    breakLength?: number;
    /** Whether control characters in strings are escaped. Default true. */
    escapeSequences?: boolean;
    /** How many entries of arrays, maps and sets are shown. Default 100. */
    iterableLimit?: number;
    /** Whether a proxy's target and handler are shown. Default false. */
    showProxy?: boolean;
    /** Whether keys are sorted. Default false. */
    sorted?: boolean;
    /** Whether a comma stands behind the last entry. Default false. */
    trailingComma?: boolean;
    /** Whether getters are called. Default false. */
    getters?: boolean;
    /** Whether properties that are not enumerable are shown. Default false. */
    showHidden?: boolean;
    /** The length after which strings are cut. Default 10,000. */
    strAbbreviateSize?: number;
  }

  /** A value as the console shows it. */
  function inspect(value: unknown, options?: InspectOptions): string;

  // -------------------------------------------------------------------------
  // Permissions
  // -------------------------------------------------------------------------

  /** Names a permission, or a part of one. */
  type PermissionDescriptor =
    | { name: "read" | "write" | "ffi"; path?: string | URL }
    | { name: "net" | "import"; host?: string }
    | { name: "env"; variable?: string }
    | { name: "sys"; kind?: string }
    | { name: "run"; command?: string | URL };

  /** Whether a permission is granted, denied, or would be asked for. */
  type PermissionState = "granted" | "denied" | "prompt";

  /** The state of a permission. */
  class PermissionStatus extends EventTarget {
    private constructor();
    /** The state. */
    readonly state: PermissionState;
    /** A part of it is denied. */
    readonly partial: boolean;
    /** The state has changed. */
    onchange: ((this: PermissionStatus, event: Event) => unknown) | null;
  }

  /** The permissions of the program. */
  class Permissions {
    private constructor();
    /** The state of a permission. */
    query(descriptor: PermissionDescriptor): Promise<PermissionStatus>;
    /** The synchronous form of `query`. */
    querySync(descriptor: PermissionDescriptor): PermissionStatus;
    /** Asks on the terminal. */
    request(descriptor: PermissionDescriptor): Promise<PermissionStatus>;
    /** The synchronous form of `request`. */
    requestSync(descriptor: PermissionDescriptor): PermissionStatus;
    /** Gives a permission up. */
    revoke(descriptor: PermissionDescriptor): Promise<PermissionStatus>;
    /** The synchronous form of `revoke`. */
    revokeSync(descriptor: PermissionDescriptor): PermissionStatus;
  }

  /** The permissions of the program. */
  const permissions: Permissions;

  /** The permissions of a worker. What is not named is not allowed. */
  interface PermissionOptionsObject {
    /** Environment variables: those of the owner, all, none, or these. */
    env?: "inherit" | boolean | string[];
    /** Native code: that of the owner, all, none, or these files. */
    ffi?: "inherit" | boolean | (string | URL)[];
    /** Hosts to import from: those of the owner, all, none, or these. */
    import?: "inherit" | boolean | string[];
    /** Hosts: those of the owner, all, none, or these. */
    net?: "inherit" | boolean | string[];
    /** Files to read: those of the owner, all, none, or these. */
    read?: "inherit" | boolean | (string | URL)[];
    /** Programs to start: those of the owner, all, none, or these. */
    run?: "inherit" | boolean | (string | URL)[];
    /** Facts about the system: those of the owner, all, none, or these. */
    sys?: "inherit" | boolean | string[];
    /** Files to write: those of the owner, all, none, or these. */
    write?: "inherit" | boolean | (string | URL)[];
  }

  /** The permissions of a worker. */
  type PermissionOptions = "inherit" | "none" | PermissionOptionsObject;

  // -------------------------------------------------------------------------
  // Standard streams and the terminal
  // -------------------------------------------------------------------------

  /** The options of `setRaw`. */
  interface SetRawOptions {
    /** Ctrl+C still raises SIGINT. Default false. */
    cbreak?: boolean;
  }

  /** The standard input. */
  const stdin: Reader & {
    /** The number of the resource. */
    readonly rid: number;
    /** The input, as a stream. */
    readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
    /** The synchronous form of `read`. */
    readSync(buffer: Uint8Array): number | null;
    /** Closes it. */
    close(): void;
    /** Whether it is a terminal. */
    isTerminal(): boolean;
    /** Whether the terminal hands over each key at once, without a line editor. */
    setRaw(mode: boolean, options?: SetRawOptions): void;
  };

  /** The standard output, or the standard error. */
  interface Output extends Writer {
    /** The number of the resource. */
    readonly rid: number;
    /** The output, as a stream. */
    readonly writable: WritableStream<Uint8Array>;
    /** The synchronous form of `write`. */
    writeSync(data: Uint8Array): number;
    /** Closes it. */
    close(): void;
    /** Whether it is a terminal. */
    isTerminal(): boolean;
  }

  /** The standard output. */
  const stdout: Output;
  /** The standard error. */
  const stderr: Output;

  /** The size of the terminal, in characters. */
  function consoleSize(): { columns: number; rows: number };
  /** Whether the resource is a terminal. */
  function isatty(rid: number): boolean;

  // -------------------------------------------------------------------------
  // Files. Each function needs the permission to read or write its paths.
  // -------------------------------------------------------------------------

  /** The options of {@linkcode Deno.open}. */
  interface OpenOptions {
    /** Default true, where no other option is given. */
    read?: boolean;
    /** Opens the file for writing. */
    write?: boolean;
    /** Writes at the end of the file. */
    append?: boolean;
    /** Empties the file. Needs `write`. */
    truncate?: boolean;
    /** Creates the file if it does not exist. */
    create?: boolean;
    /** Fails where there is a file. */
    createNew?: boolean;
    /** The mode of a new file. Default 0o666, less the umask. */
    mode?: number;
  }

  /** What the offset of `seek` counts from. */
  enum SeekMode {
    Start = 0,
    Current = 1,
    End = 2,
  }

  /** A file that is open. */
  class FsFile implements Reader, Writer, Disposable {
    private constructor();
    /** What is in the file, as a stream. */
    readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
    /** What is written to the file, as a stream. */
    readonly writable: WritableStream<Uint8Array>;
    /** Reads into the buffer. The number of bytes, or null at the end. */
    read(buffer: Uint8Array): Promise<number | null>;
    /** The synchronous form of `read`. */
    readSync(buffer: Uint8Array): number | null;
    /** Writes. The number of bytes that were written. */
    write(data: Uint8Array): Promise<number>;
    /** The synchronous form of `write`. */
    writeSync(data: Uint8Array): number;
    /** Cuts or extends the file to this length. Default 0. */
    truncate(length?: number): Promise<void>;
    /** The synchronous form of `truncate`. */
    truncateSync(length?: number): void;
    /** Moves to another place in the file. The new place, from the start. */
    seek(offset: number | bigint, whence: SeekMode): Promise<number>;
    /** The synchronous form of `seek`. */
    seekSync(offset: number | bigint, whence: SeekMode): number;
    /** Facts about the file. */
    stat(): Promise<FileInfo>;
    /** The synchronous form of `stat`. */
    statSync(): FileInfo;
    /** Resolves when the content and the facts of the file are on the disk. */
    sync(): Promise<void>;
    /** The synchronous form of `sync`. */
    syncSync(): void;
    /** Resolves when the content of the file is on the disk. */
    syncData(): Promise<void>;
    /** The synchronous form of `syncData`. */
    syncDataSync(): void;
    /** Sets when the file was read and changed. Numbers are seconds since 1970. */
    utime(atime: number | Date, mtime: number | Date): Promise<void>;
    /** The synchronous form of `utime`. */
    utimeSync(atime: number | Date, mtime: number | Date): void;
    /** Waits for a lock on the file, and takes it. Default: a shared lock. */
    lock(exclusive?: boolean): Promise<void>;
    /** The synchronous form of `lock`. */
    lockSync(exclusive?: boolean): void;
    /** Takes a lock on the file if nobody has it. Whether it did. */
    tryLock(exclusive?: boolean): Promise<boolean>;
    /** The synchronous form of `tryLock`. */
    tryLockSync(exclusive?: boolean): boolean;
    /** Gives the lock back. */
    unlock(): Promise<void>;
    /** The synchronous form of `unlock`. */
    unlockSync(): void;
    /** Whether the file is a terminal. */
    isTerminal(): boolean;
    /** Whether the terminal hands over each key at once, without a line editor. */
    setRaw(mode: boolean, options?: SetRawOptions): void;
    /** Closes the file. */
    close(): void;
    [Symbol.dispose](): void;
  }

  /** Facts about a file. */
  interface FileInfo {
    /** Whether it is a regular file. */
    isFile: boolean;
    /** Whether it is a folder. */
    isDirectory: boolean;
    /** Whether it is a symbolic link. */
    isSymlink: boolean;
    /** Its length in bytes. */
    size: number;
    /** When its content was changed. */
    mtime: Date | null;
    /** When it was read. */
    atime: Date | null;
    /** When it was created. */
    birthtime: Date | null;
    /** When the facts about it were changed. */
    ctime: Date | null;
    /** The number of its device. */
    dev: number;
    /** Its number on the device. */
    ino: number | null;
    /** Its kind and its permissions. */
    mode: number | null;
    /** How many names it has. */
    nlink: number | null;
    /** The number of its owner. */
    uid: number | null;
    /** The number of its group. */
    gid: number | null;
    /** The number of the device that it is, if it is one. */
    rdev: number | null;
    /** The size of a block for reading and writing. */
    blksize: number | null;
    /** How many blocks of 512 bytes it takes. */
    blocks: number | null;
    /** Whether it is a block device. */
    isBlockDevice: boolean | null;
    /** Whether it is a character device. */
    isCharDevice: boolean | null;
    /** Whether it is a named pipe. */
    isFifo: boolean | null;
    /** Whether it is a unix socket. */
    isSocket: boolean | null;
  }

  /** An entry of a folder. */
  interface DirEntry {
    /** Its name, without the path. */
    name: string;
    /** Whether it is a regular file. */
    isFile: boolean;
    /** Whether it is a folder. */
    isDirectory: boolean;
    /** Whether it is a symbolic link. */
    isSymlink: boolean;
  }

  /** The options of {@linkcode Deno.writeFile}. */
  interface WriteFileOptions {
    /** Writes at the end of the file. Default false. */
    append?: boolean;
    /** Default true. */
    create?: boolean;
    /** Fails if the file exists. Default false. */
    createNew?: boolean;
    /** The mode of the file. */
    mode?: number;
    /** Gives up writing. */
    signal?: AbortSignal;
  }

  /** The options of {@linkcode Deno.makeTempDir} and {@linkcode Deno.makeTempFile}. */
  interface MakeTempOptions {
    /** The folder to create it in. Default: the system's folder for temporary files. */
    dir?: string;
    /** What its name begins with. */
    prefix?: string;
    /** What its name ends with. */
    suffix?: string;
  }

  /** A path, or a URL with the scheme file. */
  type Path = string | URL;

  /** Opens a file. Needs the permission to read or write it. */
  function open(path: Path, options?: OpenOptions): Promise<FsFile>;
  /** The synchronous form of {@linkcode Deno.open}. */
  function openSync(path: Path, options?: OpenOptions): FsFile;
  /** Creates a file, or empties it, and opens it. Needs the permissions to read and write it. */
  function create(path: Path): Promise<FsFile>;
  /** The synchronous form of {@linkcode Deno.create}. */
  function createSync(path: Path): FsFile;
  /** The content of a file. Needs the permission to read it. */
  function readFile(
    path: Path,
    options?: { signal?: AbortSignal },
  ): Promise<Uint8Array<ArrayBuffer>>;
  /** The synchronous form of {@linkcode Deno.readFile}. */
  function readFileSync(path: Path): Uint8Array<ArrayBuffer>;
  /** The content of a file as text in UTF-8. Needs the permission to read it. */
  function readTextFile(
    path: Path,
    options?: { signal?: AbortSignal },
  ): Promise<string>;
  /** The synchronous form of {@linkcode Deno.readTextFile}. */
  function readTextFileSync(path: Path): string;
  /** Writes a file, and creates it if needed. Needs the permission to write it. */
  function writeFile(
    path: Path,
    data: Uint8Array | ReadableStream<Uint8Array>,
    options?: WriteFileOptions,
  ): Promise<void>;
  /** The synchronous form of {@linkcode Deno.writeFile}. */
  function writeFileSync(
    path: Path,
    data: Uint8Array,
    options?: WriteFileOptions,
  ): void;
  /**
   * Writes text to a file in UTF-8, and creates it if needed. Needs the permission to write
   * it.
   */
  function writeTextFile(
    path: Path,
    data: string | ReadableStream<string>,
    options?: WriteFileOptions,
  ): Promise<void>;
  /** The synchronous form of {@linkcode Deno.writeTextFile}. */
  function writeTextFileSync(
    path: Path,
    data: string,
    options?: WriteFileOptions,
  ): void;
  /** Facts about a file; of a link, those of its target. Needs the permission to read it. */
  function stat(path: Path): Promise<FileInfo>;
  /** The synchronous form of {@linkcode Deno.stat}. */
  function statSync(path: Path): FileInfo;
  /** Facts about a file, or about a link itself. Needs the permission to read it. */
  function lstat(path: Path): Promise<FileInfo>;
  /** The synchronous form of {@linkcode Deno.lstat}. */
  function lstatSync(path: Path): FileInfo;
  /** The entries of a folder. Needs the permission to read it. */
  function readDir(path: Path): AsyncIterable<DirEntry>;
  /** The synchronous form of {@linkcode Deno.readDir}. */
  function readDirSync(path: Path): IteratorObject<DirEntry>;
  /** The target of a symbolic link. Needs the permission to read it. */
  function readLink(path: Path): Promise<string>;
  /** The synchronous form of {@linkcode Deno.readLink}. */
  function readLinkSync(path: Path): string;
  /** The absolute path without links. Needs the permission to read it. */
  function realPath(path: Path): Promise<string>;
  /** The synchronous form of {@linkcode Deno.realPath}. */
  function realPathSync(path: Path): string;
  /** Creates a folder. Needs the permission to write it. */
  function mkdir(
    path: Path,
    options?: { recursive?: boolean; mode?: number },
  ): Promise<void>;
  /** The synchronous form of {@linkcode Deno.mkdir}. */
  function mkdirSync(
    path: Path,
    options?: { recursive?: boolean; mode?: number },
  ): void;
  /**
   * Creates a folder with a new name, and resolves with its path. Needs the permission to
   * write.
   */
  function makeTempDir(options?: MakeTempOptions): Promise<string>;
  /** The synchronous form of {@linkcode Deno.makeTempDir}. */
  function makeTempDirSync(options?: MakeTempOptions): string;
  /**
   * Creates a file with a new name, and resolves with its path. Needs the permission to
   * write.
   */
  function makeTempFile(options?: MakeTempOptions): Promise<string>;
  /** The synchronous form of {@linkcode Deno.makeTempFile}. */
  function makeTempFileSync(options?: MakeTempOptions): string;
  /**
   * Removes a file, or an empty folder; with `recursive` all that is in it. Needs the
   * permission to write it.
   */
  function remove(path: Path, options?: { recursive?: boolean }): Promise<void>;
  /** The synchronous form of {@linkcode Deno.remove}. */
  function removeSync(path: Path, options?: { recursive?: boolean }): void;
  /** Renames a file or a folder. Needs the permissions to read and write. */
  function rename(from: Path, to: Path): Promise<void>;
  /** The synchronous form of {@linkcode Deno.rename}. */
  function renameSync(from: Path, to: Path): void;
  /** Copies a file with its mode. Needs the permissions to read and write. */
  function copyFile(from: Path, to: Path): Promise<void>;
  /** The synchronous form of {@linkcode Deno.copyFile}. */
  function copyFileSync(from: Path, to: Path): void;
  /** Gives a file another name. Needs the permissions to read and write. */
  function link(from: string, to: string): Promise<void>;
  /** The synchronous form of {@linkcode Deno.link}. */
  function linkSync(from: string, to: string): void;
  /** Creates a symbolic link. Needs the permissions to read and write all files. */
  function symlink(
    target: Path,
    path: Path,
    options?: { type: "file" | "dir" | "junction" },
  ): Promise<void>;
  /** The synchronous form of {@linkcode Deno.symlink}. */
  function symlinkSync(
    target: Path,
    path: Path,
    options?: { type: "file" | "dir" | "junction" },
  ): void;
  /** Cuts or extends a file to this length. Needs the permission to write it. */
  function truncate(path: string, length?: number): Promise<void>;
  /** The synchronous form of {@linkcode Deno.truncate}. */
  function truncateSync(path: string, length?: number): void;
  /** Sets the permissions of a file. Needs the permission to write it. */
  function chmod(path: Path, mode: number): Promise<void>;
  /** The synchronous form of {@linkcode Deno.chmod}. */
  function chmodSync(path: Path, mode: number): void;
  /** Sets the owner and the group of a file. Needs the permission to write it. */
  function chown(
    path: Path,
    uid: number | null,
    gid: number | null,
  ): Promise<void>;
  /** The synchronous form of {@linkcode Deno.chown}. */
  function chownSync(path: Path, uid: number | null, gid: number | null): void;
  /**
   * Sets when a file was read and changed. Numbers are seconds since 1970. Needs the
   * permission to write it.
   */
  function utime(
    path: Path,
    atime: number | Date,
    mtime: number | Date,
  ): Promise<void>;
  /** The synchronous form of {@linkcode Deno.utime}. */
  function utimeSync(
    path: Path,
    atime: number | Date,
    mtime: number | Date,
  ): void;
  /** Changes the current folder. Needs the permission to read it. */
  function chdir(path: Path): void;
  /** The current folder. */
  function cwd(): string;

  // -------------------------------------------------------------------------
  // Errors
  // -------------------------------------------------------------------------

  /** The classes of errors, by what went wrong. */
  namespace errors {
    /** Something else listens on the address. */
    class AddrInUse extends Error {}
    /** The machine does not have the address. */
    class AddrNotAvailable extends Error {}
    /** The file is there already. */
    class AlreadyExists extends Error {}
    /** The file or the connection is closed. */
    class BadResource extends Error {}
    /** The other end reads no more. */
    class BrokenPipe extends Error {}
    /** The resource is in use. */
    class Busy extends Error {}
    /** The connection was given up. */
    class ConnectionAborted extends Error {}
    /** Nothing listens on the address. */
    class ConnectionRefused extends Error {}
    /** The other end dropped the connection. */
    class ConnectionReset extends Error {}
    /** Symbolic links lead in a circle. */
    class FilesystemLoop extends Error {}
    /** The rules of HTTP were broken. */
    class Http extends Error {}
    /** A signal of the system interrupted the call. */
    class Interrupted extends Error {}
    /** The data is malformed. */
    class InvalidData extends Error {}
    /** A file was needed, and this is a folder. */
    class IsADirectory extends Error {}
    /** No way leads to the address. */
    class NetworkUnreachable extends Error {}
    /** A permission is missing. */
    class NotCapable extends Error {}
    /** A folder was needed, and this is a file. */
    class NotADirectory extends Error {}
    /** There is no connection. */
    class NotConnected extends Error {}
    /** The file, or the name, does not exist. */
    class NotFound extends Error {}
    /** The platform cannot do it. */
    class NotSupported extends Error {}
    /** The system denies it. */
    class PermissionDenied extends Error {}
    /** It took too long. */
    class TimedOut extends Error {}
    /** The data ended too early. */
    class UnexpectedEof extends Error {}
    /** It cannot be done at once. */
    class WouldBlock extends Error {}
    /** Nothing could be written. */
    class WriteZero extends Error {}
  }
}
