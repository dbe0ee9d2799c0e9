// client: capnweb
// server: capnweb
import { newWebSocketRpcSession, RpcTarget } from "capnweb";
import { binary, equal, equalBinary, inbox, serve, text } from "./_kit.js";

class User extends RpcTarget {
  #name;
  constructor(name) {
    super();
    this.#name = name;
  }
  name() {
    return this.#name;
  }
}
class Api extends RpcTarget {
  echo(message) {
    return message;
  }
  login(name) {
    return new User(name);
  }
  fail(message) {
    throw new RangeError(message);
  }
  async tell(callback) {
    return [await callback(text), await callback("done")];
  }
}
const broken = inbox();
const server = await serve((socket) =>
  newWebSocketRpcSession(socket, new Api())
);

const api = newWebSocketRpcSession(`ws://127.0.0.1:${server.port}/`);
api.onRpcBroken(broken.push);
equal(await api.echo(text), text);
await equalBinary(await api.echo(binary));
equal(await api.login(text).name(), text);
const error = await api.fail(text).catch((error) => error);
equal([error instanceof RangeError, error.message], [true, text]);
equal(await api.tell((message) => message + "!"), [text + "!", "done!"]);
api[Symbol.dispose]();
await broken.next();
await server.close();
console.log("ok");
