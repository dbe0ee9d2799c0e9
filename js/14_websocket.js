// The way to WebSocket and its CloseEvent. The core keeps the source of a module that a snapshot has
// where it was imported, and not where it was asked for by name.

export { CloseEvent, WebSocket } from "ext:duplex_websocket/01_websocket.js";
