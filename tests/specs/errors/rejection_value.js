// exit: 1
// stderr: error: Uncaught (in promise) { code: 7 }
// What is thrown need not be an Error.
Promise.reject({ code: 7 });
