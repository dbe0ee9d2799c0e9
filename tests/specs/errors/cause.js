// exit: 1
// stderr: error: Uncaught (in promise) Error: outer[*]Caused by: TypeError: inner[*]
throw new Error("outer", { cause: new TypeError("inner") });
