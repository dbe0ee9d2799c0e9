// exit: 1
// stderr: [*]If "socket.io" is a package, install it with npm[*]
// deno: it has another text
import "socket.io";
