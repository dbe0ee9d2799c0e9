// `createWebSocketStream` of `ws`: a Duplex over a WebSocket.

import { Duplex } from "node:stream";
import { WebSocket } from "node:internal/ws/websocket";

/**
 * A stream of what the socket receives and sends; each chunk is a message.
 *
 * @param {WebSocket} websocket
 * @param {object=} options of the Duplex
 */
function createWebSocketStream(websocket, options) {
  // Whether an error is the socket's own, which is closed by it.
  let isSocketsError = true;
  const stream = new Duplex({
    ...options,
    autoDestroy: false,
    emitClose: false,
    objectMode: false,
    writableObjectMode: false,
  });

  const onceOpen = (run) => {
    if (websocket.readyState === WebSocket.CONNECTING) {
      websocket.once("open", run);
    } else {
      run();
    }
  };

  websocket.on("message", (data, isBinary) => {
    const chunk = !isBinary && stream._readableState.objectMode
      ? data.toString()
      : data;
    if (!stream.push(chunk)) {
      websocket.pause();
    }
  });
  websocket.once("error", (error) => {
    if (!stream.destroyed) {
      isSocketsError = false;
      stream.destroy(error);
    }
  });
  websocket.once("close", () => {
    if (!stream.destroyed) {
      stream.push(null);
    }
  });

  stream._destroy = (error, callback) => {
    if (websocket.readyState === WebSocket.CLOSED) {
      callback(error);
      queueMicrotask(() => stream.emit("close"));
      return;
    }
    let called = false;
    websocket.once("error", (failure) => {
      called = true;
      callback(failure);
    });
    websocket.once("close", () => {
      if (!called) {
        callback(error);
      }
      queueMicrotask(() => stream.emit("close"));
    });
    if (isSocketsError) {
      websocket.terminate();
    }
  };
  stream._final = (callback) =>
    onceOpen(() => {
      if (websocket._socket === null) {
        return;
      }
      if (websocket._socket.writableFinished) {
        callback();
        if (stream.readableEnded) {
          stream.destroy();
        }
      } else {
        websocket._socket.once("finish", () => callback());
        websocket.close();
      }
    });
  stream._read = () => {
    if (websocket.isPaused) {
      websocket.resume();
    }
  };
  stream._write = (chunk, _encoding, callback) =>
    onceOpen(() => websocket.send(chunk, callback));
  stream.on("end", () => {
    if (!stream.destroyed && stream.writableFinished) {
      stream.destroy();
    }
  });
  // An error that nobody listens to is thrown, and ends the stream first.
  const onError = (error) => {
    stream.removeListener("error", onError);
    stream.destroy();
    if (stream.listenerCount("error") === 0) {
      stream.emit("error", error);
    }
  };
  stream.on("error", onError);
  return stream;
}

export { createWebSocketStream };
export default createWebSocketStream;
